"""Version 1: a reject counts like an approval, for as long as its author may vote on what it is about."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.context import Context
from policies.facts import Candidate, GateInput, Vote
from policies.gates.approval import judging
from policies.gates.people import names_in_words, void_code
from policies.outcomes import Verdict

KIND: Final = "approval"
KIND_VERSION: Final = 1
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA

who_can_act = judging.who_can_act


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:  # noqa: ARG001
    def void_code_of(vote: Vote) -> str | None:
        return void_code(vote, context.electorate(), facts["subject"]["digest"])

    return judging.judge_votes(facts, context, None, void_code_of, _waiting_message)


def _waiting_message(details: Mapping[str, Any], electorate: Mapping[str, Candidate], approvals: Sequence[Vote]) -> str:
    waits = []
    for requirement in details["requirements"]:
        could = [person for rule in requirement["rules"] for person in rule["eligible"]]
        for rule in requirement["rules"]:
            lacking = rule["minApprovals"] - len(rule["filledBy"])
            if lacking:
                names = names_in_words(sorted({electorate[each]["username"] for each in rule["eligible"] or could}))
                waits.append(f"{lacking} from {rule['name']} ({names})")
    missing = details["missing"]
    more = "1 more approval" if missing == 1 else f"{missing} more approvals"
    return f"Waiting for {more}, {len(approvals)} given: {', '.join(waits)}."
