"""Version 3: a rule may name the owners of the promotion's product (docs/adr/0232)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput, owners_of
from policies.gates.approval import judging, version_2, wording
from policies.gates.sources import NOTHING
from policies.outcomes import Verdict

KIND: Final = "approval"
KIND_VERSION: Final = 3
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA
GUARDS: Final = judging.GUARDS
NO_GUARDS: Final = judging.NO_GUARDS
WORDING: Final = wording.WORDING
SOURCES: Final = NOTHING

who_can_act = judging.who_can_act


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:  # noqa: ARG001
    """As version 2, with the owner teams of the snapshot in place of @owners."""
    return version_2.judge_for(facts, context, owners_of(facts["requirements"]))
