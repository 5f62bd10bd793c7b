"""What a gate says of its facts and of what can change it (domain.md §6, issue: explain): pure."""

from typing import Any

import pytest

from promotions.reading.explanation import changes_of, facts_of

DIGEST = "sha256:" + "a" * 64
INPUT: dict[str, Any] = {
    "release": {"id": "release", "name": "2026.47.1", "manifestDigest": DIGEST},
    "subject": {"digest": DIGEST},
    "target": {"name": "production"},
    "requirements": {
        "promotionPolicy": {"name": "default", "version": 3, "digest": DIGEST},
        "approvalPolicies": [{"name": "two-person", "version": 1, "digest": DIGEST}],
    },
    "freezes": [{"id": "freeze", "name": "Quarter end", "reason": "Books close"}],
    "votes": [{"id": "vote", "username": "nia", "verdict": "approve"}],
    "confirmations": [
        {"id": "mine", "gate": "backup", "username": "nia"},
        {"id": "other", "gate": "else", "username": "mei"},
    ],
    "evidence": {
        "bundleId": "bundle",
        "bundleDigest": DIGEST,
        "kev": {"digest": DIGEST, "publishedAt": "2026-11-20T00:00:00.000Z"},
        "epss": None,
        "trustedKeys": [{"keyId": DIGEST, "name": "build"}],
    },
}
BUNDLE = {"documents": [{"kind": "vulnerabilities", "format": "trivy", "producer": "trivy", "digest": DIGEST}]}


def gate(type_: str, status: str = "pending", **more: Any) -> dict[str, Any]:
    return {
        "name": more.pop("name", type_),
        "type": type_,
        "status": status,
        "reasonCodes": [],
        "details": {},
        "nextChangeAt": None,
        **more,
    }


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (gate("preconditions"), [("release", "2026.47.1"), ("subject", "production")]),
        (gate("freeze-window", "pass"), []),
        (
            gate("freeze-window", details={"windows": [{"id": "freeze", "name": "Quarter end", "reason": "Audit"}]}),
            [("freeze", "Quarter end: Audit")],
        ),
        (gate("schedule"), [("policy", "default v3")]),
        (
            gate("evidence"),
            [
                ("bundle", "documents of the release"),
                ("vulnerabilities", "trivy by trivy"),
                ("trusted-key", "build"),
            ],
        ),
        (
            gate("security"),
            [
                ("bundle", "documents of the release"),
                ("vulnerabilities", "trivy by trivy"),
                ("kev", "KEV of 2026-11-20"),
                ("trusted-key", "build"),
            ],
        ),
        (
            gate("policy", details={"inputDigest": DIGEST, "engine": "opa", "revision": "r7"}),
            [("policy", "default v3"), ("policy-input", "input of opa, r7")],
        ),
        (
            gate("dependency", details={"targets": [{"type": "release", "release": "db", "environment": "staging"}]}),
            [("policy", "default v3"), ("dependency", "db staging")],
        ),
        (gate("manual", name="backup"), [("policy", "default v3"), ("confirmation", "nia")]),
        (gate("approval"), [("approval-policy", "two-person v1"), ("vote", "approve by nia")]),
        (gate("unknown"), [("policy", "default v3")]),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_every_kind_names_what_it_looked_at(of: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(each["kind"], each["title"]) for each in facts_of(of, INPUT, BUNDLE)] == expected


def test_a_gate_that_was_overridden_names_the_override() -> None:
    of = gate("schedule", "warn", details={"override": {"id": "o1", "username": "mei", "ticket": "INC-7"}})
    assert facts_of(of, INPUT, None)[-1] == {"kind": "override", "title": "mei, INC-7", "digest": None, "id": "o1"}


def test_without_a_bundle_there_is_nothing_to_name() -> None:
    assert facts_of(gate("security"), {**INPUT, "evidence": None}, None) == []


def by(changes: list[dict[str, Any]]) -> list[str]:
    return [each["by"] for each in changes]


def test_time_people_overrides_and_events_change_a_gate() -> None:
    setting = {"by": ["mei", "team:security"]}
    waits = gate("manual", nextChangeAt="2026-11-24T00:00:00.000Z")
    nia = {"id": "nia", "displayName": "Nia"}
    assert by(changes_of(waits, people=[nia], setting=setting, is_open=True)) == ["time", "people", "override"]
    assert by(changes_of(gate("security", "fail"), people=[], setting=None, is_open=True)) == ["events"]


def test_a_freeze_names_who_may_override_all_of_it_and_says_nothing_when_nobody_may() -> None:
    def frozen(*excepted: str) -> list[dict[str, Any]]:
        return changes_of(gate("freeze-window"), people=[], setting=None, excepted=excepted, is_open=True)

    override, _ = frozen("mei", "tomas")
    assert override["text"] == "May be overridden for this promotion by mei, tomas."
    assert by(frozen()) == ["events"]


def test_an_override_that_is_possible_says_until_when() -> None:
    possible = {"overridePossible": {"since": "x", "until": "2026-11-24T00:00:00.000Z"}}
    [override, _] = changes_of(gate("schedule", details=possible), people=[], setting={"by": ["mei"]}, is_open=True)
    assert (override["at"], override["text"]) == (
        "2026-11-24T00:00:00.000Z",
        "May be overridden for this promotion by mei.",
    )


def test_approval_and_preconditions_are_never_said_to_be_overridable() -> None:
    for kind in ("approval", "preconditions"):
        assert "override" not in by(changes_of(gate(kind), people=[], setting={"by": ["mei"]}, is_open=True))


def test_after_the_end_nothing_changes() -> None:
    assert changes_of(gate("freeze-window"), people=[], setting=None, is_open=False) == []


@pytest.mark.parametrize("kind", ["evidence", "security", "policy"])
def test_documents_that_are_not_read_again_yet_wait_for_the_worker(kind: str) -> None:
    unread = gate(kind, reasonCodes=["EVIDENCE_UNREAD"])
    (change,) = changes_of(unread, people=[], setting={"by": ["mei"]}, is_open=True)
    assert (change["by"], change["text"]) == ("events", "The worker reads the documents again, which takes seconds.")


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("freeze-window", "pass", "A freeze begins."),
        ("schedule", "warn", "The allowed hours end."),
        ("security", "pass", "It is judged again, and may block."),
        ("freeze-window", "pending", "It changes by itself."),
    ],
)
def test_a_gate_says_what_happens_at_the_time_of_its_next_change(kind: str, status: str, text: str) -> None:
    changing = gate(kind, status, nextChangeAt="2026-11-24T00:00:00.000Z")
    assert changes_of(changing, people=[], setting=None, is_open=True)[0] == {
        "by": "time", "text": text, "at": "2026-11-24T00:00:00.000Z", "people": [],
    }  # fmt: skip


def test_a_gate_that_passes_says_only_when_that_ends() -> None:
    passing = gate("schedule", "pass", nextChangeAt="2026-11-24T00:00:00.000Z")
    assert by(changes_of(passing, people=[], setting={"by": ["mei"]}, is_open=True)) == ["time"]
