"""Version 1: a reject counts like an approval, for as long as its author may vote on what it is about."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.approval import judging
from policies.gates.people import blemish
from policies.outcomes import Verdict

KIND: Final = "approval"
KIND_VERSION: Final = 1
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA

who_can_act = judging.who_can_act


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:  # noqa: ARG001
    return judging.judged(facts, context, lambda vote: blemish(vote, context.electorate(), facts["subject"]["digest"]))
