"""Teams over REST (contract.md, Products, people)."""

from typing import Any

import pytest

from stellapromote.accounts.models import Team, TeamGrant
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_membership import end_membership
from tests import factories
from tests.promotions.api.world import Caller, World, make_world

NIA = "teams/security/members/nia"


def made(world: World, slug: str = "platform", **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.greta.ok("POST", "teams", {"slug": slug, **fields}, status=201)
    return answer


def machine(world: World, *scopes: str, owner: str = "tomas") -> Caller:
    service = factories.make_service(world.tenant, world.people[owner].user, scopes=scopes)
    return Caller(service.user, world.tenant, factories.make_token(world.tenant, service.user))


def test_a_team_is_made_renamed_and_deleted(world: World) -> None:
    team = made(world, displayName="Platform")
    assert team == {"id": team["id"], "slug": "platform", "displayName": "Platform", "members": []}
    assert world.greta.get("teams/platform") == team
    renamed = world.greta.ok("PATCH", "teams/platform", {"displayName": "Platform team"})
    assert renamed == {**team, "displayName": "Platform team"}
    assert world.greta.ok("DELETE", "teams/platform") == {"id": team["id"], "deleted": True}
    assert world.greta.refused("GET", "teams/platform") == (404, "RES_NOT_FOUND")
    actions = AuditEvent.objects.filter(resource="team", resource_id=team["id"]).order_by("id")
    assert list(actions.values_list("action", flat=True)) == ["team.created", "team.updated", "team.deleted"]
    assert made(world)["displayName"] == "platform"


def test_a_name_that_stays_leaves_no_trace(world: World) -> None:
    team = made(world)
    assert world.greta.ok("PUT", "teams/platform", team | {"members": []}) == team
    assert not AuditEvent.objects.filter(action="team.updated").exists()


def test_teams_are_listed_with_the_number_of_their_members(world: World) -> None:
    answer = world.greta.get("teams")
    assert [(each["slug"], each["memberCount"]) for each in answer["data"]] == [("release", 2), ("security", 1)]
    assert set(answer["data"][0]) == {"id", "slug", "displayName", "memberCount"}
    assert answer["meta"]["totalCount"] == 2


def test_teams_are_read_by_cursor(world: World) -> None:
    made(world)
    found, cursor = [], ""
    while cursor is not None:
        page = world.greta.get(f"teams?pageSize=2&cursor={cursor}")
        found += [each["slug"] for each in page["data"]]
        cursor = page["meta"]["nextCursor"]
    assert found == ["platform", "release", "security"]


def test_a_member_is_put_into_a_team_and_taken_out(world: World) -> None:
    grant = world.greta.ok("PUT", NIA, {"reason": "on call"})
    assert (grant["kind"], grant["name"], grant["grantedByName"]) == ("team", "security", "greta")
    assert (grant["confirmedBy"], grant["vouchedFor"], grant["endedAt"]) == (None, False, None)
    assert TeamGrant.objects.get(pk=grant["id"]).reason == "on call"
    members = world.greta.get("teams/security")["members"]
    assert [(each["username"], each["grant"]["vouchedFor"]) for each in members] == [("mei", True), ("nia", False)]
    assert members[1] == {"id": str(world.nia.user.pk), "username": "nia", "displayName": "Nia", "grant": grant}
    ended = world.greta.ok("DELETE", f"{NIA}?reason=off%20call")
    assert (ended["id"], ended["endedAt"] is None) == (grant["id"], False)
    event = AuditEvent.objects.get(action="team.ended")
    assert event.after == {"reason": "off call"}
    assert [each["username"] for each in world.greta.get("teams/security")["members"]] == ["mei"]


def test_a_member_who_is_in_a_team_keeps_the_grant(world: World) -> None:
    first = world.greta.ok("PUT", NIA, {"reason": "on call"})
    assert world.greta.ok("PUT", NIA) == first
    assert AuditEvent.objects.filter(action="team.granted", after__team="security").count() == 2


def test_another_person_confirms_a_new_member(world: World) -> None:
    grant = world.greta.ok("PUT", NIA)
    place = f"members/{world.nia.user.pk}/grants/{grant['id']}/confirm"
    assert world.greta.refused("POST", place) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert world.mei.ok("POST", place)["vouchedFor"] is True
    assert world.greta.get("teams/security")["members"][1]["grant"]["confirmedByName"] == "mei"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_puts_themselves_into_a_team_nor_by_a_machine(world: World, method: str) -> None:
    ci = machine(world, "tenant:admin", owner="nia")
    place = "teams/release/members/nia" if method == "DELETE" else NIA
    assert ci.refused(method, place) == (403, "PERM_DENIED")
    for each in ("release", "security"):
        assert world.greta.refused(method, f"teams/{each}/members/greta") == (403, "PERM_DENIED")


WRITES = [
    ("POST", "teams", {"slug": "platform"}),
    ("PATCH", "teams/release", {"displayName": "x"}),
    ("PUT", "teams/release", {"displayName": "x"}),
    ("DELETE", "teams/release", None),
    ("PUT", NIA, {}),
    ("DELETE", "teams/release/members/nia", None),
]
READS = [("GET", "teams", None), ("GET", "teams/release", None)]


def test_the_right_of_the_pages_is_needed(world: World) -> None:
    before = list(Team.objects.values())
    for caller in (world.nia, world.tomas, world.idris, world.ci, machine(world, "policy:write")):
        for method, path, body in (*WRITES, *READS):
            assert caller.refused(method, path, body) == (403, "PERM_DENIED")
    assert (list(Team.objects.values()), TeamGrant.objects.filter(ended_at=None).count()) == (before, 3)


def test_another_tenant_finds_no_team_here(world: World) -> None:
    made(world)
    stranger = make_world("merlin", prefix="merlin-")
    for method, path, body in (*WRITES, *READS):
        for slug in ("platform", "nothing"):
            place = path.replace("release", slug).replace("security", slug).replace("/nia", "/merlin-nia")
            if "/" in place:
                assert stranger.greta.refused(method, place, body) == (404, "RES_NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_person_who_is_no_member_is_not_there(world: World, method: str) -> None:
    make_world("merlin", prefix="merlin-")
    left = factories.make_person(world.tenant, "left", teams=["release"])
    end_membership(by=world.greta.actor, clock=DATABASE_CLOCK, user_id=left.pk)
    for username in ("merlin-nia", "nobody", "kestrel-pay.ci-runner", "Nia", "left"):
        assert world.greta.refused(method, f"teams/release/members/{username}") == (404, "RES_NOT_FOUND")


def test_a_member_who_is_not_in_the_team_is_not_taken_out(world: World) -> None:
    assert world.greta.refused("DELETE", NIA) == (404, "RES_NOT_FOUND")
    world.greta.ok("PUT", NIA)
    world.greta.ok("DELETE", NIA)
    assert world.greta.refused("DELETE", NIA) == (404, "RES_NOT_FOUND")


def test_what_is_wrong_with_a_member_of_a_team_is_said(world: World) -> None:
    for body in ({"reason": 1}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "a\u202eb"}, {"reason": None}):
        assert world.greta.refused("PUT", NIA, body) == (400, "VAL_INVALID")
    assert world.greta.refused("PUT", NIA, {"surprise": 1}) == (400, "VAL_UNKNOWN_FIELD")
    assert world.greta.refused("PUT", "teams/nothing/members/nia", {"surprise": 1}) == (404, "RES_NOT_FOUND")
    assert world.greta.refused("DELETE", "teams/release/members/nia?reason=%00") == (400, "VAL_INVALID")
    assert world.greta.refused("DELETE", f"{NIA}?surprise=1") == (404, "RES_NOT_FOUND")
    assert world.greta.refused("PUT", NIA, {}, If_Match='"x"') == (400, "VAL_NOT_SUPPORTED")
    assert TeamGrant.objects.filter(ended_at=None).count() == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"slug": "Platform"},
        {"slug": ""},
        {"slug": None},
        {"slug": 1},
        {"slug": "a" * 64},
        {"slug": "a", "displayName": ""},
        {"slug": "a", "displayName": None},
        {"slug": "a", "displayName": "a\nb"},
        {"slug": "a", "displayName": "a" * 201},
        {"slug": "a", "members": ["nia"]},
        {"slug": "a", "name": "A"},
    ],
)
def test_a_team_that_cannot_be_is_refused(world: World, body: dict[str, Any]) -> None:
    status, code = world.greta.refused("POST", "teams", body)
    assert (status, code.partition("_")[0]) == (400, "VAL")
    assert Team.objects.count() == 2


def test_a_slug_is_taken_once_and_never_changes(world: World) -> None:
    assert world.greta.refused("POST", "teams", {"slug": "release"}) == (409, "RES_DUPLICATE")
    assert world.greta.refused("PATCH", "teams/release", {"slug": "other"}) == (400, "VAL_INVALID")


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"displayName": "New"}), ("DELETE", None)])
def test_a_write_names_what_it_read(world: World, method: str, body: Any) -> None:
    made(world)
    seen = world.greta.call("GET", "teams/platform")["ETag"]
    world.greta.ok("PUT", "teams/platform/members/nia")
    assert world.greta.refused(method, "teams/platform", body, If_Match=seen) == (412, "RES_PRECONDITION_FAILED")
    assert world.greta.call("GET", "teams/platform", If_None_Match=seen).status_code == 200
    seen = world.greta.call("GET", "teams/platform")["ETag"]
    assert world.greta.call("GET", "teams/platform", If_None_Match=seen).status_code == 304
    if method == "PATCH":
        assert world.greta.call(method, "teams/platform", body, If_Match=seen).status_code == 200


def test_the_same_key_makes_one_team(world: World) -> None:
    first, again = (world.greta.call("POST", "teams", {"slug": "platform"}, Idempotency_Key="once") for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"], first.content) == (201, "true", again.content)
    other = world.greta.refused("POST", "teams", {"slug": "other"}, Idempotency_Key="once")
    assert other == (409, "RES_IDEMPOTENCY_KEY_REUSED")


def in_use(world: World, slug: str) -> dict[str, Any]:
    response = world.greta.call("DELETE", f"teams/{slug}")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "RES_IN_USE")
    assert Team.objects.filter(slug=slug).exists()
    details: dict[str, Any] = response.json()["error"]["details"]
    return details


def test_a_team_that_had_people_stays(world: World) -> None:
    made(world)
    world.greta.ok("PUT", "teams/platform/members/nia")
    world.greta.ok("DELETE", "teams/platform/members/nia")
    assert in_use(world, "platform") == {"grants": 1, "policies": [], "products": []}


def test_a_team_that_any_version_of_a_policy_names_stays(world: World) -> None:
    made(world)
    policy = world.greta.ok(
        "POST",
        "approval-policies",
        {"name": "four-eyes", "rules": [{"name": "any", "teams": ["platform", "release"]}]},
        status=201,
    )
    assert in_use(world, "platform") == {"grants": 0, "policies": ["four-eyes"], "products": []}
    place = f"approval-policies/{policy['id']}"
    world.greta.ok("PATCH", place, {"rules": [{"name": "any", "teams": ["release"]}]})
    assert in_use(world, "platform")["policies"] == ["four-eyes"]


@pytest.mark.parametrize(
    "gate",
    [
        {
            "kind": "manual",
            "name": "backup",
            "config": {"confirmers": {"users": ["nia"], "teams": ["platform"]}, "text": "x"},
        },
        {
            "kind": "schedule",
            "name": "hours",
            "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}]},
            "override": {"by": ["team:platform"]},
        },
        {"kind": "policy", "name": "rule", "config": {"engine": "cel", "text": "'platform' in input.requester.teams"}},
    ],
    ids=lambda gate: str(gate["kind"]),
)
def test_a_team_that_a_gate_names_stays(world: World, gate: dict[str, Any]) -> None:
    made(world)
    made(world, "plat")
    made(world, "form")
    factories.make_promotion_policy(world.greta.actor, "careful", gates=[gate])
    assert in_use(world, "platform") == {"grants": 0, "policies": ["careful"], "products": []}
    for unnamed in ("plat", "form"):
        world.greta.ok("DELETE", f"teams/{unnamed}")


def test_policies_of_another_tenant_do_not_keep_a_team(world: World) -> None:
    made(world)
    stranger = make_world("merlin", prefix="merlin-")
    made(stranger)
    stranger.greta.ok(
        "POST",
        "approval-policies",
        {"name": "four-eyes", "rules": [{"name": "any", "teams": ["platform", "release"]}]},
        status=201,
    )
    world.greta.ok("DELETE", "teams/platform")
