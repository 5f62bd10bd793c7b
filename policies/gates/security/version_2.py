"""Version 2: a vulnerability in a component is one finding under all qualifiers of scanners, and readings of older
readers do not count (docs/adr/0151)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.readings import unread
from policies.gates.security import config, judging, wording
from policies.gates.security.judging import VersionRules
from policies.gates.sources import Sources
from policies.outcomes import Verdict
from policies.security import cve_delta, epss_threshold, kev_blocker, severities
from policies.security.findings import reader
from policies.security.packages import Package
from policies.security.trust import Trust

_ASKING: Final[dict[str, str]] = {"kev": kev_blocker.NAME, "epss": epss_threshold.NAME}
"""The rule that asks a feed of this kind."""

KIND: Final = "security"
KIND_VERSION: Final = 2
RANK: Final = config.RANK
SUMMARY: Final = config.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = config.VERSION_2
GUARDS: Final = config.GUARDS
NO_GUARDS: Final = config.NO_GUARDS
WORDING: Final = wording.WORDING
SOURCES: Final = Sources(
    key=lambda settings, names: not names.isdisjoint(settings["trustedKeys"]),
    feed=lambda settings, feed, environment: _ASKING[feed] in config.rules_in(settings, environment),
    product=lambda settings, environment: cve_delta.NAME in config.rules_in(settings, environment),
)

check_config = config.check_config
check_at_save = config.check_at_save

_MANNER: Final = VersionRules(
    readers={name: reader(grade) for name, grade in severities.GRADES.items()},
    covers=Package.covers,
    doubting=Trust.doubt,
)


def judge(facts: GateInput, settings: Mapping[str, Any], context: Context) -> Verdict:
    return unread(facts) or judging.judge(_MANNER, facts, settings, context)
