"""Version 2: a reject is the safe direction (docs/adr/0154): it counts also after a change of its author or the
subject."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.context import Context
from policies.eligibility import people_behind_request
from policies.facts import Candidate, GateInput, Vote
from policies.gates.approval import judging
from policies.gates.people import void_code
from policies.outcomes import Verdict

KIND: Final = "approval"
KIND_VERSION: Final = 2
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA

who_can_act = judging.who_can_act


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:  # noqa: ARG001
    """As version 1, but every reject fails the gate unless its author stands behind the request."""
    return judge_for(facts, context, None)


def judge_for(facts: GateInput, context: Context, owners: tuple[str, ...] | None) -> Verdict:
    """The verdict where @owners stands for these teams."""
    requesting = people_behind_request(facts)

    def void_code_of(vote: Vote) -> str | None:
        if vote["verdict"] == "reject":
            return "VOTER_NOT_ELIGIBLE" if vote["voterId"] in requesting else None
        return void_code(vote, context.electorate(), facts["subject"]["digest"])

    return judging.judge_votes(facts, context, owners, void_code_of, _waiting_message)


def _waiting_message(details: Mapping[str, Any], electorate: Mapping[str, Candidate], approvals: Sequence[Vote]) -> str:
    called = {each: person["username"] for each, person in electorate.items()}
    return judging.waiting_message_of(details, called, [vote["displayName"] for vote in approvals])
