"""The wording of approval gates, which have no settings."""

from collections.abc import Iterator
from typing import Final

from policies.gates.approval.judging import SUMMARY
from policies.gates.wording import Fact, Stored, Wording, fact, other_settings


def _facts(_gate: Stored, gate_input: Stored, _bundle: Stored | None) -> Iterator[Fact]:
    for policy in gate_input["requirements"]["approvalPolicies"]:
        yield fact("approval-policy", f"{policy['name']} v{policy['version']}", digest=policy["digest"])
    for vote in gate_input["votes"]:
        yield fact("vote", f"{vote['verdict']} by {vote['username']}", id_=vote["id"])


def _hidden(given: int, required: int) -> str:
    return f"{given} of {required} approvals are given; by whom is hidden while voting is blind."


WORDING: Final = Wording(
    sentence=lambda _config: SUMMARY,
    weaker=other_settings,
    facts_shown=_facts,
    event="Only people who may vote.",
    tells_votes=True,
    act="vote",
    hidden=_hidden,
)
