"""Promotion policies over REST (contract.md, Policies and gates)."""

from typing import Any

import pytest

from policies.models import PromotionPolicy, PromotionPolicyVersion
from stellapromote.accounts.models import Tenant, User
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import make_person, make_ready_tenant
from tests.kept import kept

MANUAL = {
    "name": "backup",
    "kind": "manual",
    "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked"},
}
MANDATORY = ["preconditions", "freeze-window", "approval"]


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def admin(tenant: Tenant) -> User:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    return make_person(tenant, "greta", roles=["admin"])


@pytest.fixture
def greta(tenant: Tenant, admin: User) -> Caller:
    return caller(tenant, admin)


@pytest.fixture
def strict(greta: Caller) -> dict[str, Any]:
    return make_strict(greta)


@kept
def make_strict(greta: Caller) -> dict[str, Any]:
    """A published policy with a gate of its own."""
    assert greta.post("/promotion-policies", {"name": "strict", "document": {"gates": [MANUAL]}}).status_code == 201
    response = greta.post("/promotion-policies/strict/publish")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def kinds(document: dict[str, Any]) -> list[str]:
    return [gate["kind"] for gate in document["gates"]]


def test_every_tenant_starts_with_default(greta: Caller) -> None:
    body = greta.get("/promotion-policies/default").json()
    version = PromotionPolicyVersion.objects.get()
    assert kinds(body["document"]) == MANDATORY
    assert (body["version"], body["digest"], body["hasDraft"]) == (1, version.digest, False)
    assert (body["publishedBy"], body["publishedByName"]) == (None, None)


def test_create_answers_a_draft(greta: Caller) -> None:
    response = greta.post("/promotion-policies", {"name": "strict", "document": {"approvalTtl": 3600}})
    assert response.status_code == 201
    body = response.json()
    assert body.pop("createdAt") == body.pop("updatedAt")
    document = body.pop("document")
    assert (kinds(document), document["approvalTtl"], document["pendingTtl"]) == (MANDATORY, 3600, 14 * 86400)
    assert body == {
        "id": str(PromotionPolicy.objects.get(name="strict").id),
        "name": "strict",
        "hasDraft": True,
        "version": None,
        "digest": None,
        "publishedBy": None,
        "publishedByName": None,
        "publishedAt": None,
    }
    assert greta.get("/promotion-policies/strict").headers["ETag"] == response.headers["ETag"]


def test_the_fields_of_the_document_may_be_given_directly(greta: Caller) -> None:
    direct = greta.post("/promotion-policies", {"name": "direct", "gates": [MANUAL], "approvalTtl": 60}).json()
    inside = greta.post(
        "/promotion-policies", {"name": "inside", "document": {"gates": [MANUAL], "approvalTtl": 60}}
    ).json()
    assert direct["document"] == inside["document"]
    assert (
        greta.put("/promotion-policies/direct", {"supersedeOlder": True}).json()["document"]["supersedeOlder"] is True
    )


def test_both_ways_at_once_are_refused(greta: Caller, strict: dict[str, Any]) -> None:
    both = {"document": {"approvalTtl": 60}, "approvalTtl": 60}
    assert wrong_fields(greta.post("/promotion-policies", {"name": "other", **both})) == ["document"]
    assert wrong_fields(greta.put("/promotion-policies/strict", both)) == ["document"]


def test_a_taken_name_is_a_duplicate(greta: Caller) -> None:
    assert refusal(greta.post("/promotion-policies", {"name": "default"})) == (409, "RES_DUPLICATE")


def test_publishing_makes_version_after_version(greta: Caller, admin: User, strict: dict[str, Any]) -> None:
    assert (strict["version"], strict["hasDraft"], strict["publishedByName"]) == (1, False, "Greta")
    edited = greta.put("/promotion-policies/strict", {"document": {"supersedeOlder": True}}).json()
    assert (edited["hasDraft"], edited["version"], edited["digest"]) == (True, 1, strict["digest"])
    assert kinds(edited["document"]) == ["preconditions", "freeze-window", "manual", "approval"]
    published = greta.post("/promotion-policies/strict/publish").json()
    assert (published["version"], published["document"]) == (2, edited["document"])
    assert published["digest"] != strict["digest"]
    listed = greta.get("/promotion-policies/strict/versions").json()
    assert [(each["version"], each["digest"]) for each in listed["data"]] == [
        (2, published["digest"]),
        (1, strict["digest"]),
    ]
    assert listed["data"][1]["document"] == strict["document"]
    assert listed["data"][1] == greta.get("/promotion-policies/strict/versions/1").json()
    assert listed["data"][1]["publishedBy"] == str(admin.id)


def test_there_is_nothing_to_publish_twice(greta: Caller, strict: dict[str, Any]) -> None:
    assert refusal(greta.post("/promotion-policies/strict/publish")) == (409, "RES_STATE_CONFLICT")


def test_publishing_twice_with_one_key_is_publishing_once(greta: Caller, strict: dict[str, Any]) -> None:
    greta.put("/promotion-policies/strict", {"supersedeOlder": True})
    first = greta.post("/promotion-policies/strict/publish", Idempotency_Key="once")
    again = greta.post("/promotion-policies/strict/publish", Idempotency_Key="once")
    assert (again.status_code, again.content) == (200, first.content)
    assert PromotionPolicyVersion.objects.filter(policy__name="strict").count() == 2


def test_a_draft_that_names_nobody_is_not_published(greta: Caller) -> None:
    gate = {**MANUAL, "config": {"confirmers": {"teams": ["nobody"]}, "text": "Backup checked"}}
    greta.post("/promotion-policies", {"name": "strict", "gates": [gate]})
    response = greta.post("/promotion-policies/strict/publish")
    assert refusal(response) == (422, "POL_INVALID")
    (place,) = response.json()["error"]["details"]["places"]
    assert place["field"] == "gates[2].config.confirmers.teams[0]"
    assert greta.get("/promotion-policies/strict").json()["version"] is None


def test_a_draft_whose_gate_too_few_could_confirm_is_not_published(greta: Caller) -> None:
    config = {"confirmers": {"users": ["greta"]}, "text": "Backup checked"}
    greta.post("/promotion-policies", {"name": "strict", "gates": [{**MANUAL, "config": config}]})
    assert refusal(greta.post("/promotion-policies/strict/publish")) == (422, "POL_UNSATISFIABLE")


def test_what_was_read_can_be_written_back(greta: Caller, strict: dict[str, Any]) -> None:
    read = greta.get("/promotion-policies/strict")
    written = greta.put("/promotion-policies/strict", read.json(), If_Match=read.headers["ETag"])
    assert (written.status_code, written.json()) == (200, read.json())


@pytest.mark.parametrize(
    "field", ["id", "name", "hasDraft", "version", "digest", "publishedBy", "publishedAt", "createdAt", "updatedAt"]
)
def test_read_only_fields_keep_their_values(greta: Caller, strict: dict[str, Any], field: str) -> None:
    assert wrong_fields(greta.put("/promotion-policies/strict", {field: "other"})) == [field]


def test_an_old_etag_is_refused(greta: Caller, strict: dict[str, Any]) -> None:
    path = "/promotion-policies/strict"
    seen = greta.get(path).headers["ETag"]
    assert greta.put(path, {"supersedeOlder": True}, If_Match=seen).status_code == 200
    assert refusal(greta.put(path, {"approvalTtl": 60}, If_Match=seen)) == (412, "RES_PRECONDITION_FAILED")
    assert refusal(greta.post(f"{path}/publish", If_Match=seen)) == (412, "RES_PRECONDITION_FAILED")
    assert greta.get(path, If_None_Match=seen).status_code == 200
    assert greta.get(path, If_None_Match=greta.get(path).headers["ETag"]).status_code == 304


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"document": []}, ["document"]),
        ({"document": None}, ["document"]),
        ({"document": {"gates": {}}}, ["document.gates"]),
        ({"document": {"pendingTtl": "1"}}, ["document.pendingTtl"]),
        ({"gates": None}, ["gates"]),
        ({"gates": "none"}, ["gates"]),
        ({"gates": [7]}, ["gates[0]"]),
        ({"gates": [{}]}, ["gates[0].kind"]),
        ({"gates": [{"kind": 7}]}, ["gates[0].kind"]),
        ({"gates": [{"kind": "nothing"}]}, ["gates[0].kind"]),
        ({"gates": [{"kind": "approval", "name": "A"}]}, ["gates[0].name"]),
        ({"gates": [{"kind": "approval", "name": "a\x00"}]}, ["gates[0].name"]),
        ({"gates": [{"kind": "approval"}, {"kind": "approval", "name": "again"}]}, ["gates[1].kind"]),
        ({"gates": [MANUAL, MANUAL]}, ["gates[1].name"]),
        ({"gates": [{"kind": "approval", "appliesTo": ["forward"]}]}, ["gates[0].appliesTo"]),
        ({"gates": [{"kind": "approval", "onError": "pass"}]}, ["gates[0].onError"]),
        ({"gates": [{"kind": "manual"}]}, ["gates[0].config.confirmers", "gates[0].config.text"]),
        ({"gates": [{"kind": "manual", "config": 7}]}, ["gates[0].config"]),
        ({"gates": [{"kind": "approval"}] * 51}, ["gates"]),
        ({"pendingTtl": 0}, ["pendingTtl"]),
        ({"pendingTtl": -1}, ["pendingTtl"]),
        ({"pendingTtl": 10**15}, ["pendingTtl"]),
        ({"pendingTtl": 10**40}, ["pendingTtl"]),
        ({"approvalTtl": 1.5}, ["approvalTtl"]),
        ({"approvalTtl": True}, ["approvalTtl"]),
        ({"supersedeOlder": "yes"}, ["supersedeOlder"]),
        ({"supersedeOlder": None}, ["supersedeOlder"]),
    ],
)
def test_what_is_wrong_is_told_by_place_and_nothing_is_stored(
    greta: Caller, strict: dict[str, Any], changes: dict[str, Any], places: list[str]
) -> None:
    assert sorted(wrong_fields(greta.post("/promotion-policies", {"name": "other", **changes}))) == places
    assert sorted(wrong_fields(greta.put("/promotion-policies/strict", changes))) == places
    assert set(PromotionPolicy.objects.values_list("name", "draft")) == {("default", None), ("strict", None)}


@pytest.mark.parametrize("name", [None, 7, "", "Strict", "strict-", "a" * 64, "strict\x00", ["strict"]])
def test_a_name_that_is_no_slug_is_refused(greta: Caller, name: Any) -> None:
    assert wrong_fields(greta.post("/promotion-policies", {"name": name})) == ["name"]


@pytest.mark.parametrize(
    ("changes", "place", "code"),
    [
        ({"quorum": 1}, "quorum", "VAL_UNKNOWN_FIELD"),
        ({"document": {"quorum": 1}}, "document.quorum", "VAL_UNKNOWN_FIELD"),
        ({"gates": [{"kind": "approval", "quorum": 1}]}, "gates[0].quorum", "VAL_UNKNOWN_FIELD"),
        ({"gates": [{"kind": "approval", "config": {"quorum": 1}}]}, "gates[0].config.quorum", "VAL_UNKNOWN_FIELD"),
        ({"gates": [{"kind": "security"}]}, "gates[0].config.rules", "VAL_INVALID"),
        (
            {"gates": [{"kind": "evidence", "config": {"requireSbom": False}}]},
            "gates[0].config.requiredPredicateTypes",
            "VAL_INVALID",
        ),
        ({"gates": [{"kind": "policy"}]}, "gates[0].config.text", "VAL_INVALID"),
        ({"gates": [{"kind": "approval", "override": {"by": ["mei"]}}]}, "gates[0].override", "VAL_INVALID"),
    ],
)
def test_what_is_unknown_or_not_enforced_yet_is_never_stored(
    greta: Caller, strict: dict[str, Any], changes: dict[str, Any], place: str, code: str
) -> None:
    for response in (
        greta.post("/promotion-policies", {"name": "other", **changes}),
        greta.put("/promotion-policies/strict", changes),
    ):
        assert (refusal(response), wrong_fields(response)) == ((400, code), [place])
    assert not PromotionPolicy.objects.exclude(draft=None).exists()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "VAL_MALFORMED_JSON"),
        (b"\xff", "VAL_MALFORMED_JSON"),
        (b'{"name": "a", "name": "b"}', "VAL_MALFORMED_JSON"),
        (b'{"name": "other", "approvalTtl": NaN}', "VAL_MALFORMED_JSON"),
        (b'{"name": "other", "gates": ' + b"[" * 100 + b"]" * 100 + b"}", "VAL_MALFORMED_JSON"),
        (b"[]", "VAL_INVALID"),
        (b'"name"', "VAL_INVALID"),
        (b"null", "VAL_INVALID"),
    ],
)
def test_what_is_no_object_is_refused(greta: Caller, raw: bytes, code: str) -> None:
    assert refusal(greta.call("POST", "/promotion-policies", raw=raw)) == (400, code)


def test_each_call_needs_its_scope(tenant: Tenant, admin: User, strict: dict[str, Any]) -> None:
    path = "/promotion-policies/strict"
    none = caller(tenant, admin, scopes=["release:read"])
    reader = caller(tenant, admin, scopes=["policy:read"])
    writer = caller(tenant, admin, scopes=["policy:read", "policy:write"])
    for each in ("/promotion-policies", path, f"{path}/versions", f"{path}/versions/1"):
        assert refusal(none.get(each)) == (403, "PERM_DENIED")
        assert reader.get(each).status_code == 200
    for response in (
        reader.post("/promotion-policies", {"name": "other"}),
        reader.put(path, {"supersedeOlder": True}),
        reader.call("PATCH", path, {"supersedeOlder": True}),
        writer.post(f"{path}/publish"),
    ):
        assert refusal(response) == (403, "PERM_DENIED")


def test_another_tenant_s_policy_does_not_exist(strict: dict[str, Any]) -> None:
    other = make_ready_tenant("merlin")
    stranger = caller(other, make_person(other, "otto", roles=["admin"]))
    path = "/promotion-policies/strict"
    for method, each, body in (
        ("GET", path, None),
        ("PUT", path, {"nothing": True}),
        ("POST", f"{path}/publish", None),
        ("GET", f"{path}/versions", None),
        ("GET", f"{path}/versions/1", None),
    ):
        assert refusal(stranger.call(method, each, body)) == (404, "RES_NOT_FOUND")
    assert [each["name"] for each in stranger.get("/promotion-policies").json()["data"]] == ["default"]


def test_the_list_is_newest_first_and_costs_the_same_however_many(
    greta: Caller, strict: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(20) as two:
        assert [each["name"] for each in greta.get("/promotion-policies").json()["data"]] == ["strict", "default"]
    enough = len(two)
    for number in range(4):
        greta.post("/promotion-policies", {"name": f"other-{number}"})
    with django_assert_max_num_queries(enough):
        assert greta.get("/promotion-policies").json()["meta"]["totalCount"] == 6


@pytest.mark.parametrize(
    "path", ["/promotion-policies/nothing", "/promotion-policies/a%00b", f"/promotion-policies/{'a' * 300}"]
)
def test_a_policy_that_is_not_there_is_404(greta: Caller, path: str) -> None:
    for method, body in (("GET", None), ("PUT", {"quorum": 1})):
        assert refusal(greta.call(method, path, body)) == (404, "RES_NOT_FOUND")
