"""Version 1: an answer allows, denies or warns."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.engines.answers import YES_OR_NO
from policies.facts import GateInput
from policies.gates.policy import judging
from policies.outcomes import Verdict

KIND: Final = "policy"
KIND_VERSION: Final = 1
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA

check_config = judging.check_config
check_at_save = judging.check_at_save


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    return judging.judge_answer(facts, config, context, YES_OR_NO)
