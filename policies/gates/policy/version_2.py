"""Version 2: what old readers read is not believed, and a policy is told what documents there are (docs/adr/0151)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.policy import version_1
from policies.gates.readings import unread
from policies.outcomes import Verdict

KIND: Final = "policy"
KIND_VERSION: Final = 2
RANK: Final = version_1.RANK
SUMMARY: Final = version_1.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = version_1.CONFIG_SCHEMA

check_config = version_1.check_config
check_at_save = version_1.check_at_save


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    return unread(facts) or version_1.judge(facts, config, context)
