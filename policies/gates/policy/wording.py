"""The wording of policy gates. The effect of a change of a text in CEL or Rego is unknown."""

from collections.abc import Iterator
from typing import Final

from policies.gates.policy.judging import SUMMARY
from policies.gates.wording import Fact, Stored, Wording, fact, other_settings, policy_shown


def _facts(gate: Stored, gate_input: Stored, bundle: Stored | None) -> Iterator[Fact]:
    yield from policy_shown(gate, gate_input, bundle)
    details = gate["details"]
    if details.get("inputDigest") is not None:
        title = f"input of {details['engine']}" + (f", {details['revision']}" if details.get("revision") else "")
        yield fact("policy-input", title, digest=details["inputDigest"])


WORDING: Final = Wording(
    sentence=lambda _config: SUMMARY,
    weaker=other_settings,
    facts_shown=_facts,
    event="The facts that the policy asks about, or a new version of it, for new promotions.",
    tells_votes=True,
)
