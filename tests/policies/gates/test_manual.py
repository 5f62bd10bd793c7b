from collections.abc import Sequence
from typing import Any

import pytest

from policies.documents import InvalidDocument, promotion_policy
from policies.gates import who_can_act
from tests.policies.cases import NOW, OTHER_SUBJECT, SUBJECT, TEAMS, Case, candidate, verdict


def confirmation(
    username: str, *, gate: str = "backup", subject: str = SUBJECT, teams: Sequence[str] | None = None
) -> dict[str, Any]:
    return {
        "id": f"confirmation-{username}",
        "gate": gate,
        "voterId": f"id-{username}",
        "username": username,
        "teams": list(TEAMS.get(username, []) if teams is None else teams),
        "subjectDigest": subject,
        "at": NOW,
    }


def backup(
    *confirmations: dict[str, Any],
    teams: Sequence[str] = ("release",),
    users: Sequence[str] = (),
    needed: int = 1,
    **gate: Any,
) -> Case:
    config = {
        "confirmers": {"teams": list(teams), "users": list(users)},
        "text": "Backup restored and checked.",
        "minConfirmations": needed,
    }
    case = Case(gates_=[{"name": "backup", "kind": "manual", "config": config, **gate}])
    return case.given(confirmations=list(confirmations))


TABLE: list[tuple[Case, tuple[str, list[str]]]] = [
    # nobody has confirmed
    (backup(), ("pending", ["CONFIRMATION_PENDING"])),
    # one of the team has
    (backup(confirmation("nia")), ("pass", [])),
    # a named user has
    (backup(confirmation("idris"), teams=(), users=("idris",)), ("pass", [])),
    # somebody of another team
    (backup(confirmation("mei")), ("pending", ["CONFIRMATION_PENDING", "VOTER_NOT_ELIGIBLE"])),
    # for another gate
    (backup(confirmation("nia", gate="other")), ("pending", ["CONFIRMATION_PENDING"])),
    # the requester never confirms
    (
        backup(confirmation("tomas", teams=["release"])),
        ("pending", ["CONFIRMATION_PENDING", "VOTER_NOT_ELIGIBLE"]),
    ),
    # nor does an excluded person
    (
        backup(confirmation("greta"), users=("greta",)),
        ("pending", ["CONFIRMATION_PENDING", "VOTER_NOT_ELIGIBLE"]),
    ),
    # what was confirmed has changed
    (backup(confirmation("nia", subject=OTHER_SUBJECT)), ("pending", ["CONFIRMATION_PENDING", "SUBJECT_CHANGED"])),
    # one of two
    (backup(confirmation("nia"), needed=2), ("pending", ["CONFIRMATION_PENDING"])),
    # two of two
    (backup(confirmation("nia"), confirmation("ravi"), needed=2), ("pass", [])),
    # the same person twice is one person
    (
        backup(confirmation("nia"), confirmation("nia") | {"id": "again"}, needed=2),
        ("pending", ["CONFIRMATION_PENDING"]),
    ),
    # more are needed than there are
    (backup(needed=3), ("pending", ["CONFIRMATION_UNSATISFIABLE"])),
    # and onError says reject
    (backup(needed=3, onError="fail"), ("fail", ["CONFIRMATION_UNSATISFIABLE"])),
    # the team has nobody who may confirm
    (backup(teams=("nobody",)), ("pending", ["CONFIRMATION_UNSATISFIABLE"])),
]


@pytest.mark.parametrize(("case", "expected"), TABLE)
def test_truth_table(case: Case, expected: tuple[str, list[str]]) -> None:
    assert verdict(case.gate("backup")) == expected


def test_teams_count_as_stored_in_the_confirmation() -> None:
    case = backup(confirmation("nia", teams=["release"]))
    case.facts["candidates"] = [candidate("nia", teams=[]), candidate("ravi")]
    assert case.gate("backup").status == "pass"


def test_who_could_confirm_is_in_the_details() -> None:
    gate = backup().gate("backup")
    assert who_can_act(gate.type, gate.kind_version, gate.details) == ("id-nia", "id-ravi")


def test_nobody_can_act_on_a_confirmed_gate() -> None:
    gate = backup(confirmation("nia")).gate("backup")
    assert who_can_act(gate.type, gate.kind_version, gate.details) == ()


def test_the_message_names_who_can_confirm_what() -> None:
    message = backup().gate("backup").message
    assert message == "Waiting for 1 confirmation (0 of 1) by nia or ravi: Backup restored and checked."


REFUSED = [
    # nobody is named
    ({"confirmers": {}, "text": "x"}, "gates[0].config.confirmers"),
    # nothing to confirm
    ({"confirmers": {"teams": ["release"]}, "text": " "}, "gates[0].config.text"),
    # a quorum of zero
    ({"confirmers": {"teams": ["release"]}, "text": "x", "minConfirmations": 0}, "gates[0].config.minConfirmations"),
    # a line break in a line
    ({"confirmers": {"teams": ["release"]}, "text": "a\nb"}, "gates[0].config.text"),
    # a password in a link
    ({"confirmers": {"teams": ["release"]}, "text": "see https://me:pw@host/"}, "gates[0].config.text"),
]


@pytest.mark.parametrize(("config", "field"), REFUSED)
def test_refused_at_save(config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"name": "backup", "kind": "manual", "config": config}]})
    assert [each.field for each in refusal.value.fields] == [field]


def test_of_two_confirmations_by_one_person_the_first_is_shown() -> None:
    gate = backup(confirmation("nia"), confirmation("nia") | {"id": "later"}).gate("backup")
    assert (gate.details["confirmations"], gate.message) == (
        ["confirmation-nia"],
        "nia confirmed: Backup restored and checked.",
    )
