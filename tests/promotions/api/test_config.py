"""Policy as code: export, plan and apply of the settings of a tenant (docs/policy-as-code.md)."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from environments.models import Environment
from policies.models import ApprovalPolicy, PromotionPolicy, Proposal
from promotions.api.config import PUBLISHED_SCHEMA
from stellapromote.accounts.models import Team, Tenant
from tests.factories import make_person, make_ready_tenant, make_token
from tests.kept import kept
from tests.promotions.api.config_files import FILE, YAML, apply, export, outcomes, plan
from tests.promotions.api.sending import stored
from tests.promotions.api.world import Caller

pytestmark = pytest.mark.django_db

PEOPLE: dict[str, dict[str, Any]] = {
    "greta": {"roles": ["admin"]},
    "nia": {"roles": ["approver"], "teams": ["release"]},
    "mei": {"roles": ["approver"], "teams": ["security"]},
    "vera": {"roles": ["viewer"]},
}
Callers = dict[str, Caller]


@kept
def make_people(slug: str) -> Callers:
    tenant = make_ready_tenant(slug)
    return {name: joined(tenant, name, **held) for name, held in PEOPLE.items()}


def joined(tenant: Tenant, name: str, **held: Any) -> Caller:
    user = make_person(tenant, name, **held)
    return Caller(user, tenant, make_token(tenant, user))


@kept
def make_applied(slug: str) -> Callers:
    people = make_people(slug)
    apply(people["greta"], FILE)
    return people


@pytest.fixture
def people(db: None) -> Callers:
    return make_applied("kestrel")


def changed(text: str, *pairs: tuple[str, str]) -> str:
    for before, after in pairs:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


LOOSER = ("requiredApprovals: 2", "requiredApprovals: 1")


class TestExport:
    def test_applied_to_another_tenant_it_is_the_same(self, people: Callers) -> None:
        text = export(people["greta"])
        other = make_people("merlin")["greta"]
        answer = apply(other, text)
        assert {each["outcome"] for each in answer["changes"]} == {"done"}
        assert export(other) == text
        for model in (ApprovalPolicy, PromotionPolicy):
            digests = [
                dict(model._default_manager.filter(tenant=each.tenant).values_list("name", "current__digest"))
                for each in (people["greta"], other)
            ]
            assert digests[0] == digests[1] != {}

    def test_it_has_what_its_reader_may_read(self, people: Callers) -> None:
        whole, seen = people["greta"].get("config"), people["vera"].get("config")
        assert whole.pop("teams")
        assert seen == whole
        assert list(seen) == [each for each in PUBLISHED_SCHEMA["properties"] if each != "teams"]
        narrow = Caller(
            people["vera"].user,
            people["vera"].tenant,
            make_token(people["vera"].tenant, people["vera"].user, scopes=["policy:read"]),
        )
        assert list(narrow.get("config")) == ["schema", "approvalPolicies", "promotionPolicies"]

    def test_its_form_is_published(self, people: Callers) -> None:
        published = Path(__file__).parents[3] / "docs" / "config.schema.json"
        assert json.loads(published.read_text()) == PUBLISHED_SCHEMA == people["vera"].get("config/schema")
        Draft202012Validator(PUBLISHED_SCHEMA).validate(people["greta"].get("config"))


class TestPlan:
    def test_it_says_each_difference_and_stores_nothing(self, people: Callers) -> None:
        text = changed(
            FILE, LOOSER, ("approvalTtl: 3600", "approvalTtl: 60"), ("displayName: Staging", "displayName: Stage")
        )
        before = stored(), export(people["greta"])
        answer = plan(people["greta"], text)
        assert (stored(), export(people["greta"])) == before
        policy, staging, production = answer["changes"]
        assert (policy["words"], policy["tightens"], policy["outcome"]) == (["approvalTtl: 60, was 3600"], True, "done")
        assert (staging["words"], staging["place"]) == (["displayName: Stage, was Staging"], "environments[1]")
        assert production["words"] == ["requiredApprovals: 1, was 2"]
        assert production["loosens"] == ["Environment production: Needs 1 approval instead of 2."]
        assert (production["outcome"], production["environments"]) == ("proposed", ["production"])
        assert production["proposalId"] is None

    def test_a_reader_sees_the_differences_and_the_rights_that_an_apply_takes(self, people: Callers) -> None:
        text = FILE.replace(FILE[FILE.index("teams:") : FILE.index("products:")], "", 1)
        answer = plan(people["vera"], changed(text, LOOSER))
        assert answer["lacking"] == ["environment:write"]
        assert outcomes(answer) == {"environment production": None}
        assert answer["changes"][0]["loosens"] == ["Environment production: Needs 1 approval instead of 2."]
        body = {"raw": text.encode(), "If_Match": answer["tag"], **YAML}
        assert people["vera"].call("POST", "config/apply", **body).status_code == 403

    def test_a_section_that_one_may_not_read_is_refused_and_not_left_out(self, people: Callers) -> None:
        response = people["vera"].call("POST", "config/plan", raw=FILE.encode(), **YAML)
        assert response.status_code == 403
        assert "tenant:admin" in response.json()["error"]["message"]


class TestApply:
    def test_again_it_changes_nothing(self, people: Callers) -> None:
        before = stored()
        assert apply(people["greta"], FILE)["changes"] == []
        assert stored() == before

    def test_what_loosens_is_a_proposal_and_stays_the_same_one(self, people: Callers) -> None:
        text = changed(FILE, LOOSER, ("displayName: Production", "displayName: Live"))
        [change] = apply(people["greta"], text)["changes"]
        proposal = Proposal.objects.get()
        assert (change["outcome"], change["proposalId"]) == ("proposed", str(proposal.pk))
        assert "displayName: Production" in export(people["greta"])
        before = stored()
        assert apply(people["greta"], text)["changes"] == [change]
        assert stored() == before
        boss = joined(people["greta"].tenant, "ines", roles=["admin"])
        tag = boss.call("GET", f"proposals/{proposal.pk}").headers["ETag"]
        boss.ok("POST", f"proposals/{proposal.pk}/confirm", {}, If_Match=tag)
        assert plan(people["greta"], text)["changes"] == []

    @pytest.mark.parametrize("edited", [True, False])
    def test_it_is_refused_where_it_was_not_planned(self, people: Callers, edited: bool) -> None:
        text = changed(FILE, ("displayName: Staging", "displayName: Stage"))
        tag = plan(people["greta"], text)["tag"]
        if edited:
            staging = Environment.objects.get(name="staging")
            people["greta"].ok("PATCH", f"environments/{staging.pk}", {"requiredApprovals": 1})
        else:
            text = changed(text, ("displayName: Development", "displayName: Dev"))
        before = export(people["greta"])
        body = {"raw": text.encode(), "If_Match": tag, **YAML}
        response = people["greta"].call("POST", "config/apply", **body)
        assert (response.status_code, response.json()["error"]["code"]) == (412, "RES_PRECONDITION_FAILED")
        del body["If_Match"]
        assert people["greta"].call("POST", "config/apply", **body).status_code == 400
        assert export(people["greta"]) == before

    def test_one_mistake_undoes_all_of_it(self, people: Callers) -> None:
        text = changed(
            FILE, ("  - slug: release\n", "  - slug: release\n  - slug: new\n"), ("users: [mei]", "users: [mia]")
        )
        response = people["greta"].call("POST", "config/plan", raw=text.encode(), **YAML)
        assert [each["field"] for each in response.json()["error"]["validationErrors"]] == [
            "approvalPolicies[0].rules[1].users[0]"
        ]
        assert not Team.objects.filter(slug="new").exists()

    def test_an_image_repository_goes_to_another_product(self, people: Callers) -> None:
        text = changed(
            FILE,
            ("[ghcr.io/acme/shop]", "[]"),
            ("  - slug: main\n", "  - slug: main\n    imageRepositories: [ghcr.io/acme/shop]\n"),
        )
        response = people["greta"].call("POST", "config/plan", raw=text.encode(), **YAML)
        assert (response.status_code, response.json()["error"]["details"]["place"]) == (409, "products[0]")
        found = outcomes(apply(people["greta"], text, prune="true"))
        assert found == {"product shop": "proposed", "product main": "waits"}

    def test_an_environment_comes_between_two_that_follow_each_other(self, people: Callers) -> None:
        text = changed(
            FILE,
            (
                "displayName: Staging, orderIndex: 2, autoPromoteFrom: dev",
                "displayName: S, orderIndex: 3, autoPromoteFrom: qa",
            ),
            ("    orderIndex: 3\n", "    orderIndex: 4\n"),
            ("freezes:", "  - {name: qa, displayName: QA, orderIndex: 2, autoPromoteFrom: dev}\nfreezes:"),
        )
        assert set(outcomes(apply(people["greta"], text)).values()) == {"done"}
        assert plan(people["greta"], text)["changes"] == []
        order = Environment.objects.order_by("order_index").values_list("name", "auto_promote_from__name")
        assert list(order) == [("dev", None), ("qa", "dev"), ("staging", "qa"), ("production", None)]

    def test_another_order_is_one_proposal_and_what_builds_on_it_waits(self, people: Callers) -> None:
        text = changed(
            FILE,
            ("orderIndex: 2, autoPromoteFrom: dev", "orderIndex: 3, autoPromoteFrom: null"),
            ("    orderIndex: 3\n", "    orderIndex: 2\n"),
            ("path: [dev, staging, production]", "path: [dev, production, staging]"),
        )
        found = outcomes(apply(people["greta"], text))
        assert found == {"environment staging": "proposed", "environment production": "waits", "product shop": "waits"}
        assert [each.name for each in Proposal.objects.all()] == ["staging"]
        assert outcomes(apply(people["greta"], text)) == found
        assert Proposal.objects.count() == 1


@pytest.mark.slow
def test_what_nobody_can_satisfy_is_stored_and_guards_nothing() -> None:
    tenant = make_ready_tenant("kestrel")
    greta = joined(tenant, "greta", roles=["admin"])
    mei, nia = (joined(tenant, name, roles=["approver"]) for name in ("mei", "nia"))
    answer = apply(greta, FILE)
    assert answer["unsatisfiable"] == ["approval policy two-person", "approval policy owners"]
    assert not ApprovalPolicy.objects.filter(enabled=True).exists()
    found = outcomes(answer)
    assert (found["environment staging"], found["environment production"]) == ("done", "waits")
    assert (found["product shop"], found["freeze New year of production"]) == ("waits", "waits")
    assert not Environment.objects.filter(name="production").exists()
    before = stored()
    assert outcomes(apply(greta, FILE))["environment production"] == "waits"
    assert stored() == before
    greta.ok("PUT", f"teams/release/members/{nia.user.username}", {})
    greta.ok("PUT", f"teams/security/members/{mei.user.username}", {})
    assert set(outcomes(apply(greta, FILE)).values()) == {"done"}
    assert plan(greta, FILE)["changes"] == []


@pytest.mark.slow
def test_a_second_person_publishes_by_applying_the_same_file() -> None:
    people = make_people("kestrel")
    ines = joined(people["greta"].tenant, "ines", roles=["admin"])
    found = outcomes(apply(people["greta"], FILE))
    assert (found["promotion policy strict"], found["environment production"]) == ("draft", "waits")
    strict = PromotionPolicy.objects.get(name="strict")
    assert strict.draft is not None
    assert strict.current is None
    assert set(outcomes(apply(ines, FILE)).values()) == {"done"}
    assert plan(people["greta"], FILE)["changes"] == []


def test_what_the_file_does_not_name_stays_unless_it_is_to_go(people: Callers) -> None:
    needed = {"team security", "promotion policy default"}
    free = {"product main", "freeze New year of production", "freeze Audit of all environments"}
    shared = "shared image repository ghcr.io/acme/base/*"
    text = changed(
        FILE[: FILE.index("freezes:")] + "freezes: []\n",
        ("[ghcr.io/acme/base/*]", "[]"),
        ("  - slug: main\n", ""),
        ("  - slug: security\n    displayName: Security\n", ""),
        ("  - name: default\n", ""),
    )
    answer = apply(people["greta"], text)
    named = {f"{each['kind']} {each['name']}" for each in answer["unnamed"]}
    assert (answer["changes"], named) == ([], {*needed, *free, shared})
    found = outcomes(apply(people["greta"], text, prune="true"))
    assert found.pop(shared) == "proposed"
    assert found == {**dict.fromkeys(free, "done"), **dict.fromkeys(needed, "stays")}


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


DEV = "environments: [{name: dev, "
LATER = "freezes: [{name: a, reason: b, start: 2098-01-01T00:00:00Z, end: "
MISTAKES = [
    (BOMB, "VAL_MALFORMED_YAML", "at line 2, column 4"),
    ("a: !!python/name:os.system", "VAL_MALFORMED_YAML", "Tags are not read"),
    ("teams: []\nteams: []", "VAL_MALFORMED_YAML", "stands twice in one object, at line 3"),
    ("[", "VAL_MALFORMED_YAML", "line"),
    ("webhooks: []", "VAL_UNKNOWN_FIELD", "webhooks"),
    ("teams: [{slug: a, people: []}]", "VAL_UNKNOWN_FIELD", "teams[0].people"),
    ("teams: [{slug: a}, {slug: a}]", "VAL_INVALID", "teams[1]: a is there twice"),
    (f"{DEV}requiredApprovals: '2'}}]", "VAL_INVALID", "environments[0].requiredApprovals"),
    ("environments: [{name: a, displayName: A}]", "VAL_INVALID", "environments[0].orderIndex"),
    (f"{DEV}orderIndex: 1}}, {{name: a, orderIndex: 1}}]", "VAL_INVALID", "environments[1].orderIndex: dev has this"),
    (f"{DEV}approvalPolicies: [theirs]}}]", "VAL_INVALID", "environments[0].approvalPolicies[0]: There is no approval"),
    ("promotionPolicies: [{name: a, gates: [{kind: none}]}]", "VAL_INVALID", "promotionPolicies[0].gates[0].kind"),
    (f"{LATER}tomorrow}}]", "VAL_INVALID", "freezes[0].end"),
    (f"{LATER}2098-01-02T00:00:00Z, environment: theirs}}]", "VAL_INVALID", "freezes[0].environment: There is no"),
]


@pytest.mark.slow
def test_a_mistake_has_its_place(people: Callers) -> None:
    stranger = make_people("merlin")["greta"]
    content = {"name": "theirs", "rules": [{"name": "any", "users": ["nia"]}]}
    stranger.ok("POST", "approval-policies", content, status=201)
    stranger.ok("POST", "environments", {"name": "theirs", "displayName": "Theirs", "orderIndex": 1}, status=201)
    for text, code, told in MISTAKES:
        raw = f"schema: stella.config/v1\n{text}".encode()
        response = people["greta"].call("POST", "config/plan", raw=raw, **YAML)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, code), (text, error)
        assert told in error["message"], (text, error)


def test_a_file_beyond_its_bound_is_refused(people: Callers) -> None:
    response = people["greta"].call("POST", "config/plan", raw=b"#" * (1024 * 1024 + 1), **YAML)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "VAL_BODY_TOO_LARGE")
