from typing import Any

import pytest

from tests.policies.cases import Case, verdict

OTHER_MANIFEST = "sha256:" + "e" * 64
BACK = {"isRollback": True}
CHANGE = {"ref": "CHG-1", "url": None, "type": None, "backout": None}

TABLE: list[tuple[dict[str, Any], tuple[str, list[str]]]] = [
    # nothing is broken
    ({}, ("pass", [])),
    # the first environment has no source
    ({"source": None}, ("pass", [])),
    # a draft is not finalized
    ({"release": {"status": "draft"}}, ("fail", ["RELEASE_NOT_FINALIZED"])),
    # deprecated releases do not go forward
    ({"release": {"status": "deprecated"}}, ("fail", ["RELEASE_DEPRECATED"])),
    # but may be rolled back to, with a warning
    ({"release": {"status": "deprecated"}, "promotion": BACK}, ("warn", ["RELEASE_DEPRECATED"])),
    # archived releases go nowhere
    ({"release": {"status": "archived"}}, ("fail", ["RELEASE_ARCHIVED"])),
    # not even back
    ({"release": {"status": "archived"}, "promotion": BACK}, ("fail", ["RELEASE_ARCHIVED"])),
    # a status nobody knows is an error, not a pass
    ({"release": {"status": "blessed"}}, ("pending", ["GATE_ERROR"])),
    # the components are not those that were asked for
    ({"release": {"manifestDigest": OTHER_MANIFEST}}, ("fail", ["MANIFEST_CHANGED"])),
    # a release without components has no manifest
    ({"release": {"manifestDigest": None}}, ("fail", ["MANIFEST_CHANGED"])),
    # rolled back in the source since
    ({"source": {"deployed": False}}, ("fail", ["SOURCE_ROLLED_BACK"])),
    # an unknown source state is not deployed
    ({"source": {"deployed": None}}, ("fail", ["SOURCE_ROLLED_BACK"])),
    # the target takes no promotions any more
    ({"target": {"archived": True}}, ("fail", ["ENVIRONMENT_ARCHIVED"])),
    # a later one was approved
    ({"supersededBy": "id-later"}, ("fail", ["SUPERSEDED"])),
    # a verification found something that is not as it was signed
    ({"evidenceMismatch": True}, ("pending", ["EVIDENCE_MISMATCH"])),
    # a warning does not hide it
    (
        {"evidenceMismatch": True, "release": {"status": "deprecated"}, "promotion": BACK},
        ("pending", ["EVIDENCE_MISMATCH", "RELEASE_DEPRECATED"]),
    ),
    # what fails, fails
    ({"evidenceMismatch": True, "supersededBy": "id-later"}, ("fail", ["EVIDENCE_MISMATCH", "SUPERSEDED"])),
    # whether something was found must be known
    ({"evidenceMismatch": None}, ("pending", ["GATE_ERROR"])),
    # everything that is broken is named, sorted
    (
        {"target": {"archived": True}, "release": {"status": "draft"}},
        ("fail", ["ENVIRONMENT_ARCHIVED", "RELEASE_NOT_FINALIZED"]),
    ),
    # a rollback to a deprecated release fails for another broken precondition
    (
        {"release": {"status": "deprecated"}, "promotion": BACK, "target": {"archived": True}},
        ("fail", ["ENVIRONMENT_ARCHIVED"]),
    ),
]


@pytest.mark.parametrize(("changes", "expected"), TABLE)
def test_truth_table(changes: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    assert verdict(Case(**changes).gate("preconditions")) == expected


CHANGE_TABLE: list[tuple[bool, Any, tuple[str, list[str]]]] = [
    # not required, not given
    (False, None, ("pass", [])),
    # required and given
    (True, CHANGE, ("pass", [])),
    # required, no change at all
    (True, None, ("fail", ["CHANGE_REF_REQUIRED"])),
    # required, a change without a reference
    (True, CHANGE | {"ref": None}, ("fail", ["CHANGE_REF_REQUIRED"])),
    # required, an empty reference
    (True, CHANGE | {"ref": ""}, ("fail", ["CHANGE_REF_REQUIRED"])),
]


@pytest.mark.parametrize(("wanted", "change", "expected"), CHANGE_TABLE)
def test_change_reference_truth_table(wanted: bool, change: Any, expected: tuple[str, list[str]]) -> None:
    case = Case(gates_=[{"kind": "preconditions", "config": {"requireChangeRef": wanted}}])
    case.facts["promotion"]["change"] = change
    assert verdict(case.gate("preconditions")) == expected


def test_details_show_both_manifests() -> None:
    details = Case(release={"manifestDigest": OTHER_MANIFEST}).gate("preconditions").details
    assert details["manifestDigest"] != details["requestedManifestDigest"]


def test_the_message_names_what_to_do() -> None:
    message = Case(release={"status": "draft"}).gate("preconditions").message
    assert message == "Release 2026.47.1 is a draft: finalize it and request again."
