"""Version 3: a policy may say that it waits, and for what (docs/adr/0155)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.engines.answers import MAY_WAIT
from policies.facts import GateInput
from policies.gates.policy import judging, wording
from policies.gates.readings import unread
from policies.gates.sources import EVERYTHING
from policies.outcomes import Verdict

KIND: Final = "policy"
KIND_VERSION: Final = 3
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA
GUARDS: Final = judging.GUARDS
NO_GUARDS: Final = judging.NO_GUARDS
WORDING: Final = wording.WORDING
SOURCES: Final = EVERYTHING

check_config = judging.check_config
check_at_save = judging.check_at_save


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    return unread(facts) or judging.judge_answer(facts, config, context, MAY_WAIT)
