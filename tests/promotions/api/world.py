"""Kestrel Pay, reached through HTTP: people with tokens, three environments, and a release on its way.

dev takes anything, staging wants one approval, production is guarded by `two-person`: one of team release and one of
team security. ravi builds releases, tomas requests, nia (release) and mei (security) approve, greta administers, idris
audits, ci-runner deploys and is owned by tomas.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from environments.models import Environment
from promotions.models import Promotion, Release
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from tests import factories
from tests.kept import kept

JSON = "application/json"


@dataclass(frozen=True)
class Caller:
    """Somebody with a token in hand. Calls answer with Django's response; `ok` and `refused` unpack it."""

    user: User
    tenant: Tenant
    token: str

    @property
    def actor(self) -> Actor:
        return factories.actor_of_token(self.token)

    def call(self, method: str, path: str, data: Any = None, *, raw: bytes | None = None, **headers: Any) -> Any:
        """`headers` by their names with underscores: `If_Match='"7"'`. `path` below /api/v1/."""
        body = raw if raw is not None else b"" if data is None else json.dumps(data).encode()
        sent = {"Authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = sent.pop("Content-Type", JSON if body else "")
        return Client(raise_request_exception=False).generic(
            method, f"/api/v1/{path}", body, content_type=content_type, headers=sent
        )

    def ok(self, method: str, path: str, data: Any = None, *, status: int = 200, **headers: Any) -> Any:
        """The parsed answer of a call that must succeed with this status."""
        response = self.call(method, path, data, **headers)
        assert response.status_code == status, response.content.decode()
        return json.loads(response.content)

    def get(self, path: str, **headers: Any) -> Any:
        return self.ok("GET", path, **headers)

    def refused(self, method: str, path: str, data: Any = None, **headers: Any) -> tuple[int, str]:
        """Status and code of a call that must be refused."""
        response = self.call(method, path, data, **headers)
        answer = json.loads(response.content)
        assert answer["success"] is False, answer
        return response.status_code, answer["error"]["code"]


@dataclass
class World:
    tenant: Tenant
    people: dict[str, Caller]
    environments: dict[str, Environment] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Caller:
        try:
            return vars(self)["people"][name]  # copying asks before there are any
        except KeyError:
            raise AttributeError(name) from None

    @kept
    def release(self, name: str | None = None, **options: Any) -> Release:
        """Built by ravi, finalized."""
        return factories.make_release(self.ravi.actor, name, **options)

    @kept
    def deployed(self, release: Release, *names: str) -> None:
        """Brings the release through these environments, in order."""
        for name in names:
            promotion = self.requested(release, name)
            if name == "staging":
                self.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
            factories.deploy(self.ci.actor, promotion)

    @kept
    def requested(self, release: Release, target: str, **options: Any) -> Promotion:
        """By tomas."""
        return factories.make_promotion(self.tomas.actor, release, self.environments[target], **options)

    @kept
    def waiting(self, name: str | None = None, **options: Any) -> Promotion:
        """A new release that was deployed before and now waits for both approvals into production."""
        release = self.release(name)
        self.deployed(release, "dev", "staging")
        return self.requested(release, "production", **options)

    @kept
    def approved(self, name: str | None = None) -> Promotion:
        promotion = self.waiting(name)
        self.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        self.mei.ok("POST", f"promotions/{promotion.pk}/approve", {})
        promotion.refresh_from_db()
        return promotion


@kept
def make_world(slug: str = "kestrel-pay", prefix: str = "") -> World:
    """`prefix` tells the usernames of two worlds apart."""
    tenant = factories.make_ready_tenant(slug)

    def person(name: str, *roles: str, teams: tuple[str, ...] = ()) -> Caller:
        user = factories.make_person(tenant, prefix + name, roles=roles, teams=teams)
        return Caller(user, tenant, factories.make_token(tenant, user))

    world = World(
        tenant,
        {
            "nia": person("nia", "approver", teams=("release",)),
            "mei": person("mei", "approver", teams=("security",)),
            "omar": person("omar", "approver"),
            "tomas": person("tomas", "operator"),
            "ravi": person("ravi", "operator", "approver", teams=("release",)),
            "greta": person("greta", "admin"),
            "idris": person("idris", "auditor"),
            "vera": person("vera", "viewer"),
        },
    )
    service = factories.make_service(tenant, world.tomas.user, "ci-runner")
    world.people["ci"] = Caller(service.user, tenant, factories.make_token(tenant, service.user))
    greta = world.greta.actor
    factories.make_approval_policy(
        greta,
        "two-person",
        rules=[
            {"name": "release", "teams": ["release"], "minApprovals": 1},
            {"name": "security", "teams": ["security"], "minApprovals": 1},
        ],
    )
    make = factories.make_environment
    world.environments = {
        "dev": make(greta, "dev", 1),
        "staging": make(greta, "staging", 2, required_approvals=1),
        "production": make(greta, "production", 3, approval_policies=["two-person"], is_production=True),
    }
    return world
