"""A small company for tests: dev needs nobody, staging one approval, production the two-person rule."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from environments.models import Environment
from promotions.actions.approve import approve
from promotions.actions.create_tenant import create_tenant
from promotions.actions.reject import reject
from promotions.actions.releases import ComponentSpec, ReleaseSpec, create_release
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.models import Promotion, Release
from promotions.packets.signing_key import current_key
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.clock import FixedClock
from tests.factories import actor_of, make_approval_policy, make_environment, make_person
from tests.kept import continued, kept
from tests.signed_in import signed_in

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

PEOPLE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "requester": (("operator", "approver"), ("release",)),
    "builder": (("operator", "approver"), ("release",)),
    "approver": (("approver",), ("release",)),
    "second": (("approver",), ("security",)),
    "third": (("approver",), ("security", "release")),
    "admin": (("admin",), ()),
    "auditor": (("auditor",), ()),
    "operator": (("operator",), ()),
    "viewer": (("viewer",), ()),
}


@dataclass
class Kestrel:
    """Actors by role in the story; ``clock`` moves one minute before each step."""

    tenant: Tenant
    clock: FixedClock
    actors: dict[str, Actor]
    dev: Environment
    staging: Environment
    production: Environment
    _releases: int = 0

    def __getitem__(self, name: str) -> Actor:
        return self.actors[name]

    def mark(self) -> tuple[datetime, int, dict[str, Actor], str]:
        return self.clock.now(), self._releases, self.actors, repr(current_key())

    def go_on_from(self, mark: tuple[datetime, int, dict[str, Actor], str]) -> None:
        self.clock.advance(mark[0] - self.clock.now())
        self._releases, self.actors = mark[1], mark[2]

    def wait(self, **span: float) -> None:
        self.clock.advance(timedelta(**(span or {"minutes": 1})))

    def release(self, *, by: str = "builder", finalize: bool = True, **fields: Any) -> Release:
        self._releases += 1
        number = self._releases
        own = fields.get("product", "app")
        fields.setdefault("components", [ComponentSpec("app", f"registry.example/{own}", f"sha256:{number:064x}")])
        self.wait()
        spec = ReleaseSpec(name=fields.pop("name", f"2026.{number}"), **fields)
        return create_release(spec, by=self[by], finalize=finalize, clock=self.clock)

    def ask(self, release: Release, target: Environment, *, by: str = "requester", reason: str = "Wanted") -> Promotion:
        self.wait()
        return request_promotion(PromotionRequest(release.pk, target.pk, reason), by=self[by], clock=self.clock)

    def approves(self, who: str, promotion: Promotion, **options: Any) -> Promotion:
        self.wait()
        return approve(promotion.pk, by=self[who], clock=self.clock, **options)

    def rejects(self, who: str, promotion: Promotion, reason: str = "Not today") -> Promotion:
        self.wait()
        return reject(promotion.pk, by=self[who], reason=reason, clock=self.clock)

    def sees_and_approves(self, who: str, promotion: Promotion) -> Promotion:
        return self.approves(who, promotion, seen=SeenSubject(promotion.subject_digest))

    def reports(self, promotion: Promotion, status: str, *, by: str = "operator", **fields: Any) -> Promotion:
        self.wait()
        return report_deployment(promotion.pk, Report(status, **fields), by=self[by], clock=self.clock)

    def deploys(self, promotion: Promotion) -> Promotion:
        self.reports(promotion, "started")
        return self.reports(promotion, "succeeded")

    @continued
    def reaches_staging(self, **fields: Any) -> Release:
        """A release that runs in dev and staging."""
        release = self.release(**fields)
        self.deploys(self.ask(release, self.dev))
        promotion = self.ask(release, self.staging)
        self.deploys(self.approves("approver", promotion))
        return release

    @continued
    def waits_for_production(self, **fields: Any) -> Promotion:
        """A promotion into production that nobody has voted on."""
        return self.ask(self.reaches_staging(**fields), self.production)

    @continued
    def approved_for_production(self, **fields: Any) -> Promotion:
        promotion = self.waits_for_production(**fields)
        self.approves("approver", promotion)
        return self.approves("second", promotion)


@kept
def make_kestrel(slug: str = "kestrel", *, prefix: str = "", now: bool = False) -> Kestrel:
    """Everybody and everything, through the real actions; ``now`` begins an hour ago, for tests with a real server."""
    clock = FixedClock(datetime.now(UTC) - timedelta(hours=1) if now else START)
    tenant = create_tenant(slug=slug, name=slug.title(), by=command_actor(), clock=clock)
    actors = {}
    for name, (roles, teams) in PEOPLE.items():
        user = make_person(tenant, f"{prefix}{name}", roles=roles, teams=teams, clock=clock)
        actors[name] = actor_of(user, tenant)
    clock.advance(timedelta(minutes=1))
    admin = actors["admin"]
    make_approval_policy(
        admin,
        "two-person",
        clock=clock,
        rules=[
            {"name": "release", "teams": ["release"], "minApprovals": 1},
            {"name": "security", "teams": ["security"], "minApprovals": 1},
        ],
    )
    return Kestrel(
        tenant=tenant,
        clock=clock,
        actors=actors,
        dev=make_environment(admin, "dev", 1, clock=clock),
        staging=make_environment(admin, "staging", 2, clock=clock, required_approvals=1),
        production=make_environment(
            admin,
            "production",
            3,
            clock=clock,
            approval_policies=["two-person"],
            require_separation_of_duties=True,
        ),
    )


def client_of(kestrel: Kestrel, who: str) -> Client:
    """A browser in which this person is signed in."""
    return signed_in(User.objects.get(pk=kestrel[who].user_id))
