"""Version 2: readings of older readers do not count, and a policy sees which documents there are (docs/adr/0151)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.engines.answers import YES_OR_NO
from policies.facts import GateInput
from policies.gates.policy import judging
from policies.gates.readings import unread
from policies.outcomes import Verdict

KIND: Final = "policy"
KIND_VERSION: Final = 2
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA

check_config = judging.check_config
check_at_save = judging.check_at_save


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    return unread(facts) or judging.judge_answer(facts, config, context, YES_OR_NO)
