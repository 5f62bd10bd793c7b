"""Version 1, for decisions that were made with it: each package URL was a component of its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.security import config, judging
from policies.gates.security.judging import VersionRules
from policies.outcomes import Verdict
from policies.security import severities
from policies.security.findings import as_written, reader
from policies.security.packages import Package

KIND: Final = "security"
KIND_VERSION: Final = 1
RANK: Final = config.RANK
SUMMARY: Final = config.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = config.VERSION_1

check_config = config.check_config
check_at_save = config.check_at_save

_MANNER: Final = VersionRules(
    readers={"worst": reader(severities.worst, as_written)},
    covers=Package.covers_to_the_letter,
    doubting=lambda _trust, _reports: None,
)

_TOLD_SINCE: Final = frozenset(
    {
        *("about", "incomplete", "incompleteCount", "leftOut"),
        *("severityFrom", "suppressed", "suppressedAccepted", "suppressedCount"),
    }
)
"""Names that the details of this version do not have, at any depth."""


def judge(facts: GateInput, settings: Mapping[str, Any], context: Context) -> Verdict:
    verdict = judging.judge(_MANNER, facts, settings, context)
    return replace(verdict, details=_as_it_was(verdict.details))


def _as_it_was(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_it_was(each) for name, each in value.items() if name not in _TOLD_SINCE}
    return [_as_it_was(each) for each in value] if isinstance(value, list) else value
