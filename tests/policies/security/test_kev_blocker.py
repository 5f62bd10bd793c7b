from typing import Any

import pytest

from tests.policies.cases import Case, verdict
from tests.policies.security.world import MUSL_ITSELF, OPENSSL, Evidence, finding, guarded

RULE = "kev-blocker"


def listed_on(day: str, *, with_: Any = None, **settings: Any) -> Case:
    """By a catalogue that never grows old."""
    evidence = Evidence()
    evidence.report(with_ or finding(fixedVersion="1.1.22-r3"))
    return evidence.into(guarded({RULE: settings}, maxFeedAge=None), kev=evidence.kev(CVE_2019_14697=day))


TABLE: list[tuple[str, dict[str, Any], tuple[str, list[str]], str | None]] = [
    # listed: it blocks at once
    ("2026-11-01", {}, ("fail", ["KEV_LISTED"]), None),
    # listed today: midnight of that day is over
    ("2026-11-23", {}, ("fail", ["KEV_LISTED"]), None),
    # the days of grace are over since midnight
    ("2026-11-09", {"graceDays": 14}, ("fail", ["KEV_LISTED"]), None),
    # they are over tomorrow: it warns, and blocks then
    ("2026-11-10", {"graceDays": 14}, ("warn", ["KEV_DUE_SOON"]), "2026-11-24T00:00:00.000Z"),
    # the last day on which it does not warn yet
    ("2026-11-17", {"graceDays": 14}, ("pass", []), "2026-11-24T00:00:00.000Z"),
    # a warning of no days is none
    ("2026-11-10", {"graceDays": 14, "warnDays": 0}, ("pass", []), "2026-11-24T00:00:00.000Z"),
    # a catalogue from the future is due in the future
    ("2026-12-24", {}, ("pass", []), "2026-12-17T00:00:00.000Z"),
]


@pytest.mark.parametrize(("day", "settings", "expected", "next_change_at"), TABLE)
def test_truth_table(
    day: str, settings: dict[str, Any], expected: tuple[str, list[str]], next_change_at: str | None
) -> None:
    gate = listed_on(day, **settings).gate("cve")
    assert (verdict(gate), gate.next_change_at) == (expected, next_change_at)


def test_it_blocks_from_midnight_on() -> None:
    case = listed_on("2026-11-10", graceDays=14)
    statuses = []
    for instant in ("2026-11-23T23:59:59.999Z", "2026-11-24T00:00:00.000Z"):
        statuses.append(case.given(instant=instant).gate("cve").status)
    assert statuses == ["warn", "fail"]


def test_without_the_catalogue_it_waits() -> None:
    evidence = Evidence()
    evidence.report()
    gate = evidence.into(guarded({RULE: {}})).gate("cve")
    assert verdict(gate) == ("pending", ["KEV_FEED_MISSING"])
    assert gate.message == ("There is no catalogue of exploited vulnerabilities: an admin must upload the KEV feed.")


def test_a_catalogue_is_missing_after_a_week_unless_the_policy_says_otherwise() -> None:
    def at(instant: str, **config: Any) -> tuple[str, list[str]]:
        evidence = Evidence()
        evidence.report()
        case = evidence.into(guarded({RULE: {}}, **config), kev=evidence.kev())
        return verdict(case.given(instant=instant).gate("cve"))

    assert at("2026-11-27T07:59:59.999Z") == ("pass", [])
    assert at("2026-11-27T08:00:00.000Z") == ("pending", ["KEV_FEED_STALE"])
    assert at("2028-02-27T08:00:00.000Z") == ("pending", ["KEV_FEED_STALE"])
    assert at("2028-02-27T08:00:00.000Z", maxFeedAge=None) == ("pass", [])


AGES: list[tuple[int, tuple[str, list[str]], str | None]] = [
    # three days old, four are allowed: it is looked at again when they are over
    (4, ("pass", []), "2026-11-24T08:00:00.000Z"),
    # three are allowed
    (3, ("pending", ["KEV_FEED_STALE"]), None),
]


@pytest.mark.parametrize(("days", "expected", "next_change_at"), AGES)
def test_a_catalogue_that_is_too_old_is_none(
    days: int, expected: tuple[str, list[str]], next_change_at: str | None
) -> None:
    evidence = Evidence()
    evidence.report()
    gate = evidence.into(guarded({RULE: {}}, maxFeedAge=days * 86400), kev=evidence.kev()).gate("cve")
    assert (verdict(gate), gate.next_change_at) == (expected, next_change_at)


def test_a_cve_that_is_not_listed_passes() -> None:
    assert listed_on("2026-11-01", with_=finding("CVE-2020-1")).gate("cve").status == "pass"


def test_an_alias_is_listed_too() -> None:
    aliased = finding("CVE-2020-1", aliases=["CVE-2019-14697"])
    assert listed_on("2026-11-01", with_=aliased).gate("cve").status == "fail"


def test_of_two_listings_the_earlier_one_counts() -> None:
    evidence = Evidence()
    evidence.report(finding(aliases=["CVE-2020-1"]))
    feed = evidence.kev(CVE_2019_14697="2026-11-22", CVE_2020_1="2026-11-01")
    gate = evidence.into(guarded({RULE: {"graceDays": 14}}), kev=feed).gate("cve")
    assert verdict(gate) == ("fail", ["KEV_LISTED"])


def test_a_day_that_is_none_is_an_error_and_not_a_pass() -> None:
    assert verdict(listed_on("soon").gate("cve")) == ("pending", ["GATE_ERROR"])


def test_the_message_names_cve_component_score_days_and_remedy() -> None:
    assert listed_on("2026-11-01", graceDays=14).gate("cve").message == (
        "CVE-2019-14697 in musl 1.1.22-r2 (critical, CVSS 9.8) is exploited: listed in CISA's KEV catalogue on "
        "2026-11-01, due since 2026-11-15; upgrade musl to 1.1.22-r3, or state in a trusted VEX document why it does "
        "not apply; then request again."
    )


def test_the_message_of_a_warning_says_from_when_it_blocks() -> None:
    assert (
        "blocks from 2026-11-24; upgrade musl to 1.1.22-r3."
        in listed_on("2026-11-10", graceDays=14).gate("cve").message
    )


def test_only_what_is_due_makes_the_failure() -> None:
    evidence = Evidence()
    evidence.report(finding(), finding("CVE-2020-1", OPENSSL))
    feed = evidence.kev(CVE_2019_14697="2026-11-01", CVE_2020_1="2026-11-20")
    gate = evidence.into(guarded({RULE: {"graceDays": 7}}), kev=feed).gate("cve")
    assert verdict(gate) == ("fail", ["KEV_DUE_SOON", "KEV_LISTED"])
    assert gate.details["findings"] == [f"CVE-2019-14697@{MUSL_ITSELF}"]
