from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import eligibility
from policies.eligibility import (
    REASONS,
    SENTENCES,
    Eligibility,
    Grant,
    Involvement,
    duties_in_force,
    eligibility_of,
    excluded_persons,
    main_reason,
)
from policies.vouching import Confirmation, Source, Vouching

REQUESTED = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
LONG_AGO, LATER = REQUESTED - timedelta(days=90), REQUESTED + timedelta(milliseconds=1)
EXCLUDED = {"id-tomas": ["REQUESTER"], "id-greta": ["RELEASE_CREATOR"]}


AUTHORITIES: dict[str, Source | None] = {
    "role-of-root": None,
    "role-of-friend": Source(frozenset({"id-nia"}), LONG_AGO, "role-of-root"),
}
VOUCHING = Vouching.of(dict.fromkeys(EXCLUDED), AUTHORITIES)


def grant(name: str, at: datetime = LONG_AGO, by: str | None = "id-root", behind: Iterable[str] = ()) -> Grant:
    """By an administrator who was made on the command line; `by` None: on the command line itself."""
    under = "role-of-friend" if by == "id-friend" else "role-of-root"
    return Grant(name, at, None if by is None else Source(frozenset({by, *behind}), at, under))


def confirmed(given: Grant, by: str) -> Grant:
    assert given.source is not None
    confirmation = Confirmation(by, REQUESTED, "role-of-root")
    return given._replace(source=given.source._replace(confirmation=confirmation))


def limited(given: Grant, *products: str) -> Grant:
    return given._replace(products=products)


def nia(**changes: Any) -> Eligibility:
    facts: dict[str, Any] = {
        "person_id": "id-nia",
        "kind": "person",
        "active": True,
        "roles": [grant("approver")],
        "teams": [grant("release")],
        "voting_roles": {"approver"},
        "product": "ledger",
        "requested_at": REQUESTED,
        "excluded": EXCLUDED,
        "vouching": VOUCHING,
    }
    return eligibility_of(**{**facts, **changes})


TABLE: list[tuple[dict[str, Any], str | None]] = [
    # an approver of long standing
    ({}, None),
    # a service account never votes, whatever its roles
    ({"kind": "service"}, "SERVICE_ACCOUNT"),
    # the requester
    ({"person_id": "id-tomas"}, "REQUESTER"),
    # somebody else who is excluded
    ({"person_id": "id-greta"}, "RELEASE_CREATOR"),
    # an inactive account or membership
    ({"active": False}, "NOT_ACTIVE"),
    # a member without a role that votes
    ({"roles": [grant("viewer"), grant("admin")]}, "NO_VOTING_ROLE"),
    # no role at all
    ({"roles": []}, "NO_VOTING_ROLE"),
    # the role came after the request
    ({"roles": [grant("approver", LATER)]}, "ROLE_GRANTED_AFTER_REQUEST"),
    # at the very instant is not after it
    ({"roles": [grant("approver", REQUESTED)]}, None),
    # granted by herself
    ({"roles": [grant("approver", by="id-nia")]}, "ROLE_GRANTED_BY_SELF"),
    # granted by the requester
    ({"roles": [grant("approver", by="id-tomas")]}, "ROLE_GRANTED_BY_EXCLUDED"),
    # granted by anybody else who is excluded
    ({"roles": [grant("approver", by="id-greta")]}, "ROLE_GRANTED_BY_EXCLUDED"),
    # granted by a machine of hers
    ({"roles": [grant("approver", by="id-robot", behind=["id-nia"])]}, "ROLE_GRANTED_BY_SELF"),
    # granted by a machine that the requester owns, or with a token that they issued
    ({"roles": [grant("approver", by="id-robot", behind=["id-ola", "id-tomas"])]}, "ROLE_GRANTED_BY_EXCLUDED"),
    # granted by a machine of somebody who has nothing to do with it
    ({"roles": [grant("approver", by="id-robot", behind=["id-ola"])]}, None),
    # granted on the command line
    ({"roles": [grant("approver", by=None)]}, None),
    # granted by the requester, and confirmed by somebody who has nothing to do with it
    ({"roles": [confirmed(grant("approver", by="id-tomas"), by="id-root")]}, None),
    # or by somebody else who is excluded
    ({"roles": [confirmed(grant("approver", by="id-tomas"), by="id-greta")]}, "ROLE_GRANTED_BY_EXCLUDED"),
    # that others confirm it does not help what she granted herself
    ({"roles": [confirmed(grant("approver", by="id-nia"), by="id-root")]}, "ROLE_GRANTED_BY_SELF"),
    # granted by an administrator whom she made herself
    ({"roles": [grant("approver", by="id-friend")]}, "ROLE_GRANTED_BY_SELF"),
    # another voting role that counts is enough
    (
        {"voting_roles": {"approver", "chief"}, "roles": [grant("approver", LATER), grant("chief")]},
        None,
    ),
    # also when it came later than the one that does not count
    (
        {
            "voting_roles": {"approver", "chief"},
            "roles": [grant("approver", by="id-nia"), grant("chief", REQUESTED)],
        },
        None,
    ),
    # a role for the product among others
    ({"roles": [limited(grant("approver"), "ledger", "wiki")]}, None),
    # a role for other products
    ({"roles": [limited(grant("approver"), "wiki")]}, "OTHER_PRODUCT"),
    # whatever else stands against it
    ({"roles": [limited(grant("approver", LATER, by="id-nia"), "wiki")]}, "OTHER_PRODUCT"),
    # a limited role without products, which the database refuses
    ({"roles": [limited(grant("approver"))]}, "OTHER_PRODUCT"),
    # a limit on a product that no grant names
    ({"roles": [limited(grant("approver"), "ledger")], "product": None}, "OTHER_PRODUCT"),
    # a role for the product counts by the same rules as one for all
    ({"roles": [limited(grant("approver", LATER), "ledger")]}, "ROLE_GRANTED_AFTER_REQUEST"),
    # and says more than one for other products
    (
        {
            "voting_roles": {"approver", "chief"},
            "roles": [limited(grant("approver"), "wiki"), grant("chief", LATER)],
        },
        "ROLE_GRANTED_AFTER_REQUEST",
    ),
    # for a person who is excluded that is told first
    ({"person_id": "id-greta", "roles": [limited(grant("approver"), "wiki")]}, "RELEASE_CREATOR"),
    # a clean role that does not vote is not
    ({"roles": [grant("approver", LATER), grant("viewer")]}, "ROLE_GRANTED_AFTER_REQUEST"),
    # of several reasons the weightiest is told: excluded before inactive before the role
    ({"person_id": "id-tomas", "active": False, "roles": []}, "REQUESTER"),
    ({"active": False, "roles": []}, "NOT_ACTIVE"),
    # a service account is told so first
    ({"kind": "service", "person_id": "id-tomas"}, "SERVICE_ACCOUNT"),
]


@pytest.mark.parametrize(("changes", "expected"), TABLE)
def test_truth_table(changes: dict[str, Any], expected: str | None) -> None:
    assert nia(**changes).exclusion == expected


TEAMS: list[tuple[Grant, tuple[str, ...]]] = [
    # a team of long standing counts
    (grant("release"), ("release",)),
    # one gained after the request does not
    (grant("release", LATER), ()),
    # nor one granted by herself
    (grant("release", by="id-nia"), ()),
    # nor one granted by somebody excluded
    (grant("release", by="id-greta"), ()),
    # the command line may
    (grant("release", by=None), ("release",)),
]


@pytest.mark.parametrize(("team", "counting"), TEAMS)
def test_which_teams_count(team: Grant, counting: tuple[str, ...]) -> None:
    assert nia(teams=[team]).teams == counting


def test_a_team_that_does_not_count_leaves_the_vote() -> None:
    assert nia(teams=[grant("release", LATER)]).exclusion is None


def test_roles_and_teams_are_sorted_and_only_those_that_count() -> None:
    found = nia(
        roles=[grant("viewer"), grant("approver"), grant("admin", LATER)], teams=[grant("security"), grant("release")]
    )
    assert (found.roles, found.teams) == (("approver", "viewer"), ("release", "security"))


def test_a_role_for_other_products_does_not_count() -> None:
    found = nia(roles=[grant("approver"), limited(grant("operator"), "wiki"), limited(grant("viewer"), "ledger")])
    assert found.roles == ("approver", "viewer")


def test_granted_at_is_of_the_voting_role() -> None:
    assert nia(roles=[grant("viewer", REQUESTED), grant("approver")]).granted_at == LONG_AGO


def test_granted_at_is_told_also_where_the_role_does_not_count() -> None:
    assert nia(roles=[grant("approver", LATER)]).granted_at == LATER


@given(
    st.lists(
        st.builds(
            grant,
            st.sampled_from(["approver", "viewer"]),
            st.sampled_from([LONG_AGO, REQUESTED, LATER]),
            st.sampled_from([None, "id-root", "id-nia", "id-tomas", "id-greta"]),
        ),
        max_size=4,
    ),
    st.sampled_from(["id-tomas", "id-greta"]),
)
def test_no_grant_makes_an_excluded_person_eligible(roles: list[Grant], person: str) -> None:
    assert nia(person_id=person, roles=roles).exclusion == EXCLUDED[person][0]


@given(st.lists(st.sampled_from(REASONS), min_size=1))
def test_the_weightiest_reason_is_the_first_in_order(reasons: list[str]) -> None:
    assert main_reason(reasons) == REASONS[min(REASONS.index(each) for each in reasons)]


def test_an_unknown_reason_excludes_too() -> None:
    assert nia(excluded={"id-nia": ["TEA_MAKER"]}).exclusion == "TEA_MAKER"


def test_an_exclusion_without_a_reason_still_excludes() -> None:
    assert nia(excluded={"id-nia": []}).exclusion is not None


def duties(**on: bool) -> dict[str, Any]:
    return {
        "separationOfDuties": {
            "excludeReleaseCreator": False,
            "excludeCommitAuthors": False,
            "excludePolicyEditor": False,
            "excludeDeployer": False,
            **on,
        }
    }


DUTIES: list[tuple[bool, list[dict[str, Any]], set[str]]] = [
    # nothing asks for anything
    (False, [], set()),
    # the environment's own setting
    (True, [], {"RELEASE_CREATOR"}),
    # whatever the policies say
    (True, [duties()], {"RELEASE_CREATOR"}),
    # each flag has its reason
    (False, [duties(excludeReleaseCreator=True)], {"RELEASE_CREATOR"}),
    (False, [duties(excludeCommitAuthors=True)], {"COMMIT_AUTHOR"}),
    (False, [duties(excludePolicyEditor=True)], {"POLICY_EDITOR"}),
    (False, [duties(excludeDeployer=True)], {"DEPLOYER"}),
    # the union over all policies
    (False, [duties(excludeDeployer=True), duties(excludeCommitAuthors=True)], {"DEPLOYER", "COMMIT_AUTHOR"}),
]


@pytest.mark.parametrize(("required", "policies", "expected"), DUTIES)
def test_duties_in_force(required: bool, policies: list[dict[str, Any]], expected: set[str]) -> None:
    assert duties_in_force(required, policies) == expected


def test_excluded_persons_have_all_their_reasons_in_order() -> None:
    parts = [
        Involvement("id-2", "tomas", "TOKEN_ISSUER"),
        Involvement("id-1", "greta", "RELEASE_CREATOR"),
        Involvement("id-2", "tomas", "REQUESTER"),
        Involvement("id-2", "tomas", "REQUESTER"),
    ]
    assert excluded_persons(parts, {"RELEASE_CREATOR"}) == [
        {"id": "id-1", "username": "greta", "reasons": ["RELEASE_CREATOR"]},
        {"id": "id-2", "username": "tomas", "reasons": ["REQUESTER", "TOKEN_ISSUER"]},
    ]


ALWAYS = [
    # no setting turns these off
    ("REQUESTER", True),
    ("SERVICE_OWNER", True),
    ("TOKEN_ISSUER", True),
    # these are settings
    ("RELEASE_CREATOR", False),
    ("COMMIT_AUTHOR", False),
    ("POLICY_EDITOR", False),
    ("DEPLOYER", False),
]


@pytest.mark.parametrize(("reason", "excluded"), ALWAYS)
def test_who_is_excluded_when_no_duty_is_in_force(reason: str, excluded: bool) -> None:
    assert bool(excluded_persons([Involvement("id-1", "greta", reason)], ())) is excluded


BARRED: list[tuple[dict[str, Any], dict[str, datetime | None]]] = [
    # everybody excluded, at any time
    ({"excludedPersons": [{"id": "a", "reasons": ["REQUESTER"]}]}, {"a": None}),
    # who only edited settings, from their edit on
    (
        {
            "excludedPersons": [{"id": "a", "reasons": ["POLICY_EDITOR"]}, {"id": "b", "reasons": ["DEPLOYER"]}],
            "settingsEditedAt": {"a": "2026-11-20T08:00:00.000Z"},
        },
        {"a": REQUESTED, "b": None},
    ),
    # a snapshot of before said no instant
    ({"excludedPersons": [{"id": "a", "reasons": ["POLICY_EDITOR"]}]}, {"a": None}),
]


@pytest.mark.parametrize(("requirements", "expected"), BARRED)
def test_whose_word_counts_for_no_grant(requirements: dict[str, Any], expected: dict[str, datetime | None]) -> None:
    assert eligibility.discounted_granters(requirements) == expected


def test_every_code_has_its_sentence() -> None:
    codes = {value for name, value in vars(eligibility).items() if name.isupper() and isinstance(value, str)}
    assert codes == set(SENTENCES)
