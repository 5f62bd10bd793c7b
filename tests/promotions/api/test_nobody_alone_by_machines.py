"""One person uses the machine of another: with a token that mallory issues for it, nothing counts as the other's own.

mallory and bob administer. bob owns a machine; `through` is that machine with a token that mallory issued.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from environments.models import FreezeWindow
from policies.models import WeakeningEdit
from promotions.documents import bundles
from stellapromote.accounts.models import ServiceAccount
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_service_owner import add_service_owner
from tests.factories import actor_of, make_freeze, make_person, make_service, make_token
from tests.promotions.api.world import Caller, World
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, openvex, trivy, trivy_entry

EVER = ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
SCOPES = ("environment:read", "environment:write", "evidence:write", "policy:write")


@dataclass(frozen=True)
class Two:
    """mallory and bob, the machine of each by a token of their own, and bob's by a token of mallory's."""

    world: World
    mallory: Caller
    bob: Caller
    mallorys: Caller
    bobs: Caller
    through: Caller


def person(world: World, name: str) -> Caller:
    user = make_person(world.tenant, name, roles=["admin", "operator", "approver"])
    return Caller(user, world.tenant, make_token(world.tenant, user))


def machine(world: World, owner: Caller, name: str, *, issuer: Caller) -> Caller:
    service = make_service(world.tenant, owner.user, name, scopes=SCOPES)
    return by_token_of(world, service.user, issuer)


def by_token_of(world: World, account: Any, issuer: Caller) -> Caller:
    token = make_token(world.tenant, account, by=actor_of(issuer.user, world.tenant))
    return Caller(account, world.tenant, token)


@pytest.fixture
def two(world: World) -> Two:
    mallory, bob = person(world, "mallory"), person(world, "bob")
    bobs = machine(world, bob, "bobs", issuer=bob)
    mallorys = machine(world, mallory, "mallorys", issuer=mallory)
    return Two(world, mallory, bob, mallorys, bobs, by_token_of(world, bobs.user, mallory))


def frozen(two: Two, by: Caller) -> tuple[FreezeWindow, str]:
    window = make_freeze(by.actor, two.world.environments["production"], *EVER)
    return window, f"environments/{window.environment_id}/freeze-windows/{window.pk}"


def stands(window: FreezeWindow) -> bool:
    window.refresh_from_db()
    return (window.cleared_at, window.ends_at.year, window.exceptions) == (None, 2099, [])


@pytest.mark.parametrize("whose", ["bob", "bobs"])
@pytest.mark.parametrize("change", [{"end": "2098-01-01T00:00:00Z"}, {"exceptions": ["vera"]}, None])
def test_a_freeze_is_not_loosened_through_its_authors_machine(two: Two, whose: str, change: Any) -> None:
    window, path = frozen(two, getattr(two, whose))
    if change is None:
        response = two.through.call("DELETE", path, {"reason": "x"})
    else:
        response = two.through.call("PATCH", path, change)
    assert response.status_code == 202, response.content
    assert stands(window)


@pytest.mark.parametrize("by", ["bob", "bobs", "mallory", "mallorys", "through"])
def test_a_freeze_that_two_stand_behind_is_lifted_by_neither(two: Two, by: str) -> None:
    window, path = frozen(two, two.through)
    assert getattr(two, by).call("DELETE", path, {"reason": "x"}).status_code == 202
    assert stands(window)


def test_a_change_through_the_machine_of_another_is_a_hand_of_both(two: Two) -> None:
    """mallory makes bob's freeze longer by bob's machine: bob alone does not end it early any more."""
    window, path = frozen(two, two.bobs)
    two.through.ok("PATCH", path, {"end": "2099-01-02T00:00:00Z"})
    assert two.bobs.call("DELETE", path, {"reason": "x"}).status_code == 202
    assert set(FreezeWindow.objects.get().held_by) == {two.bob.user.pk, two.mallory.user.pk}
    assert window.held_by == [two.bob.user.pk]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_owner_of_bobs_machine_does_not_lift_what_it_froze(two: Two, when: str) -> None:
    """mallory makes herself an owner, before or after the machine freezes."""
    service = ServiceAccount.objects.get(user=two.bobs.user)
    add = partial(add_service_owner, by=actor_of(two.mallory.user, two.world.tenant), clock=DATABASE_CLOCK)
    if when == "before":
        add(service_id=service.pk, owner="mallory")
    window, path = frozen(two, two.bobs)
    if when == "after":
        add(service_id=service.pk, owner="mallory")
    for by in (two.through, two.mallory, two.mallorys):
        assert by.call("DELETE", path, {"reason": "x"}).status_code == 202
    assert stands(window)


@pytest.mark.parametrize(("freezes", "lifts"), [("bob", "bobs"), ("bobs", "bob"), ("bobs", "bobs"), ("bob", "bob")])
def test_ones_own_machine_is_oneself(two: Two, freezes: str, lifts: str) -> None:
    window, path = frozen(two, getattr(two, freezes))
    getattr(two, lifts).ok("DELETE", path, {"reason": "Over"})
    assert not stands(window)
    assert not WeakeningEdit.objects.exists()


def test_a_freeze_of_before_that_a_machine_made_is_nobodys_own(two: Two) -> None:
    """Then the account that acted was kept, and not who stood behind it."""
    window, path = frozen(two, two.bobs)
    FreezeWindow.objects.update(held_by=[two.bobs.user.pk])
    for by in (two.bob, two.bobs, two.through, two.mallory):
        assert by.call("DELETE", path, {"reason": "x"}).status_code == 202
    assert stands(window)


FOUND = trivy(trivy_entry(), CreatedAt="2026-11-01T08:00:00Z")
CLEAN = trivy(CreatedAt="2026-11-02T08:00:00Z")


def sends(by: Caller, document: Any, kind: str = "vulnerabilities") -> dict[str, Any]:
    sent = {"artifactDigest": ARTIFACT, "kind": kind, "document": document}
    made: dict[str, Any] = by.ok("POST", "evidence", sent, status=201)
    return made


def said(two: Two, part: str = "vulnerabilities") -> list[tuple[str, tuple[str, ...]]]:
    """The digests in a bundle taken now, each with the people whom the document counts for."""
    taken = two.bob.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    return sorted((each["digest"], tuple(one["username"] for one in each["uploadedBy"])) for each in taken[part])


def test_a_report_is_not_replaced_through_its_uploaders_machine(two: Two) -> None:
    found = sends(two.bobs, FOUND)["documentDigest"]
    clean = sends(two.through, CLEAN)["documentDigest"]
    assert said(two) == sorted([(found, ("bob",)), (clean, ("bob", "mallory"))])


def test_an_owner_of_bobs_machine_replaces_nothing_that_it_sent_before(two: Two) -> None:
    found = sends(two.bobs, FOUND)["documentDigest"]
    service = ServiceAccount.objects.get(user=two.bobs.user)
    by = actor_of(two.mallory.user, two.world.tenant)
    add_service_owner(by=by, clock=DATABASE_CLOCK, service_id=service.pk, owner="mallory")
    sends(two.through, CLEAN)
    assert (found, ("bob",)) in said(two)


def test_a_machine_replaces_its_own_report_whichever_token_of_its_owner_it_has(two: Two) -> None:
    sends(two.bobs, FOUND)
    another = by_token_of(two.world, two.bobs.user, two.bob)
    clean = sends(another, CLEAN)["documentDigest"]
    assert said(two) == [(clean, ("bob",))]


def test_who_sends_the_same_bytes_first_takes_no_place_in_what_bobs_machine_says(two: Two) -> None:
    """Documents without a time are the same bytes whenever they are made."""
    sent = openvex({"@id": "pkg:deb/debian/openssl@1.0"})
    digest = sends(two.through, sent, "vex")["documentDigest"]
    sends(two.bobs, sent, "vex")
    assert said(two, "vex") == [(digest, ("bob",)), (digest, ("bob", "mallory"))]


def by_tool(name: str) -> dict[str, Any]:
    return cyclonedx(metadata={"tools": {"components": [{"type": "application", "name": name}]}})


@pytest.fixture
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_PRODUCERS", 4)
    monkeypatch.setattr(bundles, "MOST_OF_ONE", 2)


@pytest.mark.usefixtures("few_places")
def test_with_all_machines_one_person_fills_the_places_of_one(two: Two) -> None:
    """By her own, by bob's with her token and by herself: one more is refused each time, and bob's scanner has room."""
    for number, by in enumerate((two.mallorys, two.through)):
        sends(by, by_tool(f"invented {number}"), "sbom")
    more = {"artifactDigest": ARTIFACT, "kind": "sbom", "document": by_tool("one more")}
    for by in (two.mallorys, two.through, two.mallory):
        assert by.refused("POST", "evidence", more) == (422, "EVD_TOO_MANY_DOCUMENTS")
    for document in (FOUND, by_tool("bob's")):
        sends(two.bobs, document, "vulnerabilities" if document is FOUND else "sbom")
    assert two.bobs.refused("POST", "evidence", more) == (422, "EVD_TOO_MANY_DOCUMENTS")


@pytest.mark.usefixtures("few_places")
def test_a_token_without_an_issuer_sends_for_its_machine(two: Two) -> None:
    """The command line issued it: two machines of one owner are two senders, and nobody makes such a token alone."""
    account = two.bobs.user
    by_command = Caller(account, two.world.tenant, make_token(two.world.tenant, account))
    for number, by in enumerate((two.bobs, two.bobs, by_command, by_command)):
        sends(by, by_tool(f"tool {number}"), "sbom")


def test_nobody_uses_up_the_keys_of_another_pipeline(two: Two) -> None:
    """mallory uses the key that bob's pipeline will use; it is still one key for two tokens of bob's."""
    key = {"Idempotency_Key": "build-17"}
    for by, document in ((two.through, CLEAN), (two.bobs, FOUND)):
        sent = {"artifactDigest": ARTIFACT, "kind": "vulnerabilities", "document": document}
        response = by.call("POST", "evidence", sent, **key)
        assert (response.status_code, "Idempotency-Replayed" in response.headers) == (201, False)
    another = by_token_of(two.world, two.bobs.user, two.bob)
    sent = {"artifactDigest": ARTIFACT, "kind": "vulnerabilities", "document": FOUND}
    assert another.call("POST", "evidence", sent, **key).headers["Idempotency-Replayed"] == "true"
