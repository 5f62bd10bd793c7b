"""Overrides of one gate, and rules that only warn until a day (domain.md §6): what they lift and never lift."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import InvalidDocument, promotion_policy
from policies.overrides import may_be_overridden, named_in, override_scope
from tests.policies.cases import BEFORE, NOW, OTHER_SUBJECT, SUBJECT, TWO_PERSON, Case, verdict, vote

LATER = "2026-11-23T20:00:00.000Z"
NEXT_DAY = "2026-11-24T08:00:00.000Z"
FREEZE = {
    "id": "freeze-1",
    "name": "Quarter end",
    "scope": "environment",
    "start": BEFORE,
    "end": NEXT_DAY,
    "reason": "Quarter end",
    "createdByName": "Greta",
}
SHUT = {"windows": [{"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}], "outside": "fail"}
SPAN = {"start": "2026-11-20T00:00:00.000Z", "end": "2026-11-21T00:00:00.000Z"}


def override(gate: str = "hours", who: str = "idris", **changes: Any) -> Any:
    fact = {
        "id": f"override-{gate}",
        "gate": gate,
        "actorId": f"id-{who}",
        "username": who,
        "displayName": who.title(),
        "subjectDigest": SUBJECT,
        "reasonCodes": ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"],
        "findings": [],
        "reason": "The fix cannot wait",
        "ticket": "INC-7",
        "recordedAt": BEFORE,
        "expiresAt": LATER,
    }
    return {**fact, **changes}


def shut(*overrides: Any, entry: Any = None, **changes: Any) -> Case:
    """A schedule gate that fails, which mei and team release may override."""
    gate = {"name": "hours", "kind": "schedule", "config": SHUT, **(entry or {"override": {"by": ["mei"]}})}
    case = Case(gates_=[gate], schedules={"hours": [SPAN]}, **changes)
    case.facts["overrides"] = list(overrides)
    return case


def frozen(*overrides: Any, windows: Any = (FREEZE,)) -> Case:
    case = Case(freezes=list(windows))
    case.facts["overrides"] = list(overrides)
    return case


def test_a_live_override_makes_a_warning_that_says_whose_it_is() -> None:
    gate = shut(override()).gate("hours")
    assert verdict(gate) == ("warn", ["OUTSIDE_SCHEDULE", "OVERRIDDEN", "SCHEDULE_ENDED"])
    assert gate.details["override"] == {
        "id": "override-hours",
        "actorId": "id-idris",
        "username": "idris",
        "ticket": "INC-7",
        "expiresAt": LATER,
        "status": "fail",
    }
    assert gate.next_change_at == LATER
    assert gate.message.startswith("Overridden by Idris until 2026-11-23 20:00 UTC (INC-7): ")


@pytest.mark.parametrize(
    "changes",
    [
        {"expiresAt": NOW},  # over at this very instant
        {"recordedAt": LATER, "expiresAt": NEXT_DAY},  # not given yet
        {"subjectDigest": OTHER_SUBJECT},  # another content
        {"gate": "other"},  # another gate
        {"reasonCodes": ["OUTSIDE_SCHEDULE"]},  # SCHEDULE_ENDED is new
        {"actorId": "id-tomas"},  # the requester
        {"actorId": "id-greta"},  # excluded
    ],
)
def test_what_an_override_does_not_cover_stays_blocking(changes: dict[str, Any]) -> None:
    assert shut(override(**changes)).gate("hours").status == "pending"  # waits for somebody to override it


def test_a_gate_whose_policy_has_no_override_is_not_lifted() -> None:
    assert shut(override(), entry={"onError": "fail"}).gate("hours").status == "fail"


@pytest.mark.parametrize("gate", ["preconditions", "approval"])
def test_preconditions_and_approval_are_never_lifted(gate: str) -> None:
    case = Case(policies=[TWO_PERSON], supersededBy="id-newer", release={"status": "deprecated"})
    before = case.gate(gate)
    assert before.status in ("fail", "pending")
    case.facts["overrides"] = [override(gate, reasonCodes=list(before.reason_codes))]
    assert case.gate(gate).status == before.status


def test_a_freeze_is_lifted_without_a_word_in_the_policy() -> None:
    case = frozen(override("freeze-window", reasonCodes=["GATE_FROZEN"], findings=["window freeze-1"]))
    assert verdict(case.gate("freeze-window")) == ("warn", ["GATE_FROZEN", "OVERRIDDEN"])


def test_a_new_freeze_is_not_lifted_by_the_override_of_an_older_one() -> None:
    given = override("freeze-window", reasonCodes=["GATE_FROZEN"], findings=["window freeze-1"])
    case = frozen(given, windows=(FREEZE, {**FREEZE, "id": "freeze-2"}))
    assert verdict(case.gate("freeze-window")) == ("pending", ["GATE_FROZEN"])


def test_a_new_finding_is_not_lifted() -> None:
    seen = {"findings": [{"id": "CVE-1", "purl": "pkg:a"}]}
    more = {"findings": [*seen["findings"], {"id": "CVE-1", "purl": "pkg:b"}]}
    covered = set(override_scope(["KEV"], seen)[1])
    assert not set(override_scope(["KEV"], more)[1]) <= covered


def test_a_fail_that_may_be_overridden_waits_a_day_then_denies() -> None:
    gate = shut().gate("hours")
    assert verdict(gate) == ("pending", ["OUTSIDE_SCHEDULE", "OVERRIDE_POSSIBLE", "SCHEDULE_ENDED"])
    assert gate.details["overridePossible"] == {"since": NOW, "until": NEXT_DAY}
    assert gate.next_change_at == NEXT_DAY
    case = shut()
    case.facts["failingSince"] = {"hours": "2026-11-22T08:00:00.000Z"}
    assert verdict(case.gate("hours")) == ("fail", ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"])
    assert case.judged().decision == "deny"


def test_the_policy_says_how_long_a_fail_waits() -> None:
    gate = {"name": "hours", "kind": "schedule", "config": SHUT, "override": {"by": ["mei"]}}
    case = shut()
    policy = promotion_policy({"gates": [gate], "overrideTtl": 3600})
    case.documents[policy.digest] = policy.content
    case.facts["requirements"]["promotionPolicy"]["digest"] = policy.digest
    assert case.gate("hours").next_change_at == "2026-11-23T09:00:00.000Z"


def test_who_overrode_a_gate_does_not_vote_there_even_when_it_is_over() -> None:
    case = shut(override(who="nia", expiresAt=NOW), policies=[TWO_PERSON], votes=[vote("nia"), vote("mei")])
    assert "VOTER_NOT_ELIGIBLE" in case.gate("approval").reason_codes
    case.facts["overrides"] = []
    assert case.gate("approval").status == "pass"


def test_inputs_without_overrides_are_judged_as_before() -> None:
    case = shut(entry={"onError": "fail"}, policies=[TWO_PERSON], votes=[vote("nia"), vote("mei")])
    with_key = case.judged().as_json()
    del case.facts["overrides"]
    assert case.judged().as_json() == with_key


def test_before_its_day_a_gate_only_warns() -> None:
    gate = shut(entry={"effectiveOn": "2026-11-24"}).gate("hours")
    assert verdict(gate) == ("warn", ["NOT_YET_EFFECTIVE", "OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"])
    assert gate.details["notYetEffective"] == {"status": "fail", "effectiveAt": "2026-11-24T00:00:00.000Z"}
    assert gate.next_change_at == "2026-11-24T00:00:00.000Z"


def test_a_day_begins_at_its_first_instant() -> None:
    case = shut(entry={"effectiveOn": "2026-11-24"}, instant="2026-11-24T00:00:00.000Z")
    assert case.gate("hours").status == "fail"


@pytest.mark.parametrize("day", ["2026-11-23", "2025-01-01"])
def test_from_its_day_on_a_gate_blocks(day: str) -> None:
    assert shut(entry={"effectiveOn": day}).gate("hours").status == "fail"


def test_before_its_day_missing_facts_do_not_block_either() -> None:
    case = shut(entry={"effectiveOn": "2026-11-24"}).given(schedules={"hours": None})
    del case.facts["schedules"]["hours"]
    assert verdict(case.gate("hours")) == ("warn", ["GATE_FACTS_MISSING", "NOT_YET_EFFECTIVE"])


@pytest.mark.parametrize(
    ("gate", "place"),
    [
        ({"kind": "approval", "override": {"by": ["mei"]}}, "gates[0].override"),
        ({"kind": "preconditions", "override": {"by": ["mei"]}}, "gates[0].override"),
        ({"kind": "freeze-window", "effectiveOn": "2026-12-01"}, "gates[0].effectiveOn"),
        ({"kind": "approval", "effectiveOn": "2026-12-01"}, "gates[0].effectiveOn"),
        ({"kind": "schedule", "config": SHUT, "effectiveOn": "2026-02-30"}, "gates[0].effectiveOn"),
        ({"kind": "schedule", "config": SHUT, "effectiveOn": "tomorrow"}, "gates[0].effectiveOn"),
        ({"kind": "schedule", "config": SHUT, "override": {"by": []}}, "gates[0].override.by"),
        ({"kind": "schedule", "config": SHUT, "override": {}}, "gates[0].override.by"),
        ({"kind": "schedule", "config": SHUT, "override": {"by": ["Team X"]}}, "gates[0].override.by[0]"),
        (
            {"kind": "schedule", "config": SHUT, "override": {"by": ["mei"], "maxHours": 0}},
            "gates[0].override.maxHours",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_save(gate: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        promotion_policy({"gates": [gate]})
    assert [each.field for each in refused.value.fields] == [place]


def test_a_policy_without_them_keeps_its_bytes() -> None:
    assert b"override" not in promotion_policy({"gates": []}).canonical
    assert b"effectiveOn" not in promotion_policy({"gates": []}).canonical


def test_people_are_named_by_username_or_team() -> None:
    by = {"by": ["mei", "team:release"]}
    assert named_in(by, "mei", [])
    assert named_in(by, "nia", ["release"])
    assert not named_in(by, "release", ["security"])


def test_what_a_bundle_lacks_is_named_one_by_one() -> None:
    sbom = {"artifact": "sha256:a", "what": "sbom", "code": "EVIDENCE_MISSING", "document": None}
    other = {**sbom, "artifact": "sha256:b"}
    seen = override_scope([], {"lacking": [sbom], "lackingCount": 1})[1]
    assert set(override_scope([], {"lacking": [sbom, other], "lackingCount": 2})[1]) - set(seen)
    assert "9 lacking" in override_scope([], {"lacking": [sbom], "lackingCount": 9})[1]


def test_each_platform_that_lacks_a_document_is_named() -> None:
    whole = {"artifact": "sha256:a", "what": "vulnerabilities", "code": "SECURITY_REPORT_MISSING", "document": None}
    lacking = [whole, {**whole, "about": "sha256:amd64"}, {**whole, "about": "sha256:arm64"}]
    assert len(override_scope([], {"lacking": lacking})[1]) == 3


def test_each_incomplete_report_is_named_with_how_much_it_leaves_out() -> None:
    """Else an override of one would lift another, or what is left out when it is read again."""
    one = {"artifact": "sha256:a", "document": "sha256:d", "number": 1, "reasons": []}
    others = [{**one, "document": "sha256:e"}, {**one, "number": 2}, {**one, "artifact": "sha256:b"}]
    assert len(override_scope([], {"incomplete": [one, *others]})[1]) == 4
    assert "9 incomplete" in override_scope([], {"incomplete": [one], "incompleteCount": 9})[1]


def test_a_dependency_that_is_met_stands_against_nothing() -> None:
    target = {"type": "environment", "environment": "staging", "state": "idle", "observed": None}
    assert override_scope([], {"targets": [{**target, "met": True}]})[1] == []
    assert len(override_scope([], {"targets": [{**target, "met": False}]})[1]) == 1


@pytest.mark.parametrize(
    ("kind", "override", "codes", "may"),
    [
        ("security", {"by": ["mei"]}, ["NEW_CVE"], True),
        ("security", {"by": ["mei"]}, ["SECURITY_REPORT_MISSING"], True),  # it says whose report is lacking
        ("security", {"by": ["mei"]}, ["GATE_ERROR"], False),  # nobody knows what would be lifted
        ("security", {"by": ["mei"]}, ["EVIDENCE_UNREAD"], False),  # nor what the documents say
        ("security", {"by": ["mei"]}, ["SECURITY_REPORT_INCOMPLETE"], True),  # it says which report leaves out what
        ("policy", {"by": ["mei"]}, ["GATE_TIMEOUT"], False),
        ("dependency", {"by": ["mei"]}, ["GATE_FACTS_MISSING"], False),
        ("security", None, ["NEW_CVE"], False),
        ("freeze-window", None, ["GATE_FROZEN"], True),
        ("approval", {"by": ["mei"]}, ["APPROVAL_PENDING"], False),
        ("preconditions", {"by": ["mei"]}, ["RELEASE_DEPRECATED"], False),
    ],
)
def test_which_gates_may_be_overridden(kind: str, override: Any, codes: list[str], may: bool) -> None:
    assert may_be_overridden(kind, override, codes) is may


def test_a_gate_that_could_not_be_judged_is_not_lifted_by_who_saw_that() -> None:
    entry = {"override": {"by": ["mei"]}, "onError": "fail"}
    case = shut(override(reasonCodes=["GATE_FACTS_MISSING"]), entry=entry)
    case.facts["schedules"] = {}
    assert verdict(case.gate("hours")) == ("fail", ["GATE_FACTS_MISSING"])


def test_a_pending_gate_goes_on_waiting_for_what_it_waits_for() -> None:
    case = shut(entry={"override": {"by": ["mei"]}, "config": {**SHUT, "outside": "pending"}})
    assert verdict(case.gate("hours")) == ("pending", ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"])


@given(
    codes=st.sets(st.sampled_from(["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED", "GATE_FROZEN"])).map(sorted),
    subject=st.sampled_from([SUBJECT, OTHER_SUBJECT]),
    gate=st.sampled_from(["hours", "approval", "other"]),
    who=st.sampled_from(["idris", "tomas", "greta"]),
    expires=st.sampled_from([BEFORE, NOW, LATER]),
)
def test_only_what_covers_everything_lifts(codes: list[str], subject: str, gate: str, who: str, expires: str) -> None:
    given_ = override(gate, who, reasonCodes=codes, subjectDigest=subject, expiresAt=expires, recordedAt=BEFORE)
    covers = (subject, gate, who, expires) == (SUBJECT, "hours", "idris", LATER)
    lifted = shut(given_).gate("hours").status == "warn"
    assert lifted == (covers and {"OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"} <= set(codes))
