"""Version 2: what old readers read is not believed, and an SBOM may have to be valid (docs/adr/0151)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.evidence import judging, wording
from policies.gates.readings import unread
from policies.gates.sources import Sources
from policies.outcomes import Verdict

KIND: Final = "evidence"
KIND_VERSION: Final = 2
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.VERSION_2

GUARDS: Final = frozenset(
    {"requireSbom", "formats", "requireValidSchema", "requiredPredicateTypes", "trustedKeys", "maxAge"}
)
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""
WORDING: Final = wording.WORDING
SOURCES: Final = Sources(
    key=lambda config, names: not config["trustedKeys"] or not names.isdisjoint(config["trustedKeys"])
)

check_config = judging.check_config


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    return unread(facts) or judging.judge(facts, config, context)
