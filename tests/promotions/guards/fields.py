"""For each field that is marked as a guard: what one administrator does to loosen it, in a strict world."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.update_environment import update_environment
from environments.actions.update_freeze_window import update_freeze_window
from environments.models import Environment, FreezeWindow
from environments.presenters import environment_document, freeze_window_document
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.actions.archive_environment import archive_environment
from promotions.actions.change_sign_in_settings import change_sign_in_settings
from promotions.actions.grant_override import grant_override
from promotions.actions.image_repositories import share_repository
from promotions.actions.products import create_product, update_product
from promotions.actions.trust_key import revoke_key, trust_key
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.upload_feed import read_feed, upload_feed
from promotions.models import Feed, FeedEntry, TrustedKey
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ImageRepository, Product, ScopeGrant, SignInSettings, User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.clock import rfc3339
from tests.factories import (
    actor_of_token,
    make_approval_policy,
    make_freeze,
    make_promotion_policy,
    make_service,
    make_token,
)
from tests.kept import kept
from tests.promotions.formats.samples import EPSS, KEV
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer
from tests.proposals import confirmed

GATES: list[dict[str, Any]] = [
    {"kind": "evidence", "config": {"trustedKeys": ["ci"]}},
    {
        "kind": "security",
        "config": {"rules": {"kev-blocker": {}, "epss-threshold": {}}, "trustedUploaders": ["operator"]},
    },
    {
        "name": "check",
        "kind": "manual",
        "config": {"confirmers": {"users": ["second"]}, "text": "Checked?"},
        "override": {"by": ["second"]},
    },
]


class Strict:
    """Kestrel with everything that production can ask for, a freeze of another person's machine and feeds.

    Each method beside `state` loosens one thing as the administrator and returns what the action does.
    """

    def __init__(self) -> None:
        self.kestrel: Kestrel = make_kestrel()
        kestrel = self.kestrel
        self.by, self.clock = kestrel["admin"], kestrel.clock
        owner = User.objects.get(pk=kestrel["second"].account)
        machine = make_service(kestrel.tenant, owner, scopes=["environment:write"], clock=self.clock)
        self.by_machine = actor_of_token(make_token(kestrel.tenant, machine.user, clock=self.clock))
        for kind, document in (("kev", KEV_BYTES), ("epss", EPSS)):
            self.feed(kind, document)
        key = self.trusts("ci")
        make_promotion_policy(self.by, "strict", clock=self.clock, gates=GATES)
        revoke_key(key.pk, by=self.by, clock=self.clock)
        for name in ("release-only", "of-main"):
            make_approval_policy(self.by, name, clock=self.clock)
        create_product(by=self.by, clock=self.clock, slug="other")
        self.owned_by("security")
        owned = [{"name": "owners", "teams": ["@owners"]}]
        make_approval_policy(self.by, "owned", clock=self.clock, rules=owned)
        confirmed(
            self.environment(
                promotion_policy="strict",
                required_approvals=2,
                auto_promote_from="staging",
                auto_promote_hold=True,
                exclusive="environment",
                require_manifest_report=True,
                product_approval_policies=[{"name": "of-main", "products": ["main"]}],
                approval_policies=["owned", "two-person"],
            ),
            self.clock,
        )
        self.change(kestrel.dev, required_on_every_path=False)
        self.change(kestrel.staging, required_on_every_path=False)
        changes = {"path": ["staging", "production"]}
        confirmed(update_product(by=self.by, clock=self.clock, slug="other", changes=changes), self.clock)
        self.change(kestrel.dev, required_on_every_path=True)
        start, end = (rfc3339(self.clock.now() + timedelta(hours=hours)) for hours in (1, 9))
        server = command_actor(kestrel.tenant)
        change_sign_in_settings(by=server, clock=self.clock, require_second_factor=True, grace_days=90)
        self.window = make_freeze(self.by_machine, kestrel.production, start, end, clock=self.clock)
        kestrel.wait()

    def state(self) -> dict[str, Any]:
        """Everything that a guard reads."""
        return {
            "environments": [environment_document(each) for each in Environment.objects.with_settings().order_by("id")],
            "freezes": [freeze_window_document(each) for each in FreezeWindow.objects.order_by("id")],
            "policies": [
                list(model.objects.order_by("id").values_list("name", "current__version"))
                for model in (ApprovalPolicy, PromotionPolicy)
            ],
            "products": list(Product.objects.order_by("id").values_list("slug", "owner_teams", "path", "version")),
            "repositories": list(ImageRepository.objects.order_by("name").values_list("name", "product", "is_shared")),
            "keys": list(TrustedKey.objects.order_by("id").values_list("name", "key_id")),
            "feeds": list(FeedEntry.objects.order_by("cve", "feed_id").values_list("cve", "listed_on", "score")),
            "newest": list(Feed.objects.order_by("id").values_list("kind", "published_at")),
            "signIn": list(SignInSettings.objects.values_list("second_factor_from", flat=True)),
            "rights": list(ScopeGrant.objects.order_by("id").values_list("user__username", "scope")),
        }

    def environment(self, **changes: Any) -> Any:
        return self.change(self.kestrel.production, **changes)

    def change(self, environment: Environment, **changes: Any) -> Any:
        return update_environment(by=self.by, clock=self.clock, environment_id=environment.pk, changes=changes)

    def archives(self) -> Any:
        return archive_environment(by=self.by, clock=self.clock, environment_id=self.kestrel.production.pk)

    def freeze(self, **changes: Any) -> Any:
        given = {name: rfc3339(value) if name in ("start", "end") else value for name, value in changes.items()}
        where = self.kestrel.production.pk
        return update_freeze_window(
            by=self.by, clock=self.clock, window_id=self.window.pk, environment_id=where, changes=given
        )

    def lifts(self) -> Any:
        where = self.kestrel.production.pk
        return clear_freeze_window(by=self.by, clock=self.clock, window_id=self.window.pk, environment_id=where)

    def trusts(self, name: str) -> Any:
        return trust_key(name, Signer().pem, by=self.by, clock=self.clock)

    def feed(self, kind: str, content: bytes) -> Any:
        return upload_feed(read_feed(kind, content, by=self.by), by=self.by, clock=self.clock)

    def lets_override(self) -> Any:
        member = self.kestrel["second"].account
        return grant_override(by=self.by, clock=self.clock, user_id=member, scope=PROMOTION_OVERRIDE, reason="On call")

    def requires_no_second_factor(self) -> Any:
        return change_sign_in_settings(by=self.by, clock=self.clock, require_second_factor=False)

    def approval_policy(self) -> Any:
        policy = ApprovalPolicy.objects.get(name="two-person")
        rules = [{"name": "release", "teams": ["release"]}]
        return update_approval_policy(by=self.by, clock=self.clock, policy_id=policy.pk, changes={"rules": rules})

    def owned_by(self, *teams: str) -> Any:
        return self.product(owner_teams=list(teams))

    def product(self, **changes: Any) -> Any:
        return update_product(by=self.by, clock=self.clock, slug="main", changes=changes)

    def shares(self, name: str) -> Any:
        return share_repository(by=self.by, clock=self.clock, name=name)

    def promotion_policy(self) -> Any:
        save_draft(by=self.by, clock=self.clock, name="strict", changes={"gates": GATES[:2]})
        return publish_promotion_policy(by=self.by, clock=self.clock, name="strict")


@kept
def make_strict() -> Strict:
    return Strict()


def kev(*entries: tuple[str, str]) -> bytes:
    """A catalogue that is an hour newer, with these CVEs and days."""
    listed = [{"cveID": cve, "dateAdded": day} for cve, day in entries]
    newer = {"dateReleased": "2026-11-01T18:00:00.0000Z", "count": len(listed), "vulnerabilities": listed}
    return json.dumps({**KEV, **newer}).encode()


KEV_BYTES = kev(("CVE-2026-0001", "2026-10-01"), ("CVE-2025-0009", "2025-02-03")).replace(b"18:00", b"17:00")
ONE_SCORE = EPSS.replace(b"2026-11-01", b"2026-11-02").replace(b"CVE-2025-0009,0.00043,0.07\n", b"")

LOOSENINGS: dict[str, Callable[[Strict], Any]] = {
    "Environment.order_index": lambda world: world.environment(order_index=1, auto_promote_from=None),
    "Environment.is_production": lambda world: world.environment(is_production=False),
    "Environment.protected": lambda world: world.environment(protected=False),
    "Environment.required_approvals": lambda world: world.environment(required_approvals=1),
    "Environment.require_separation_of_duties": lambda world: world.environment(require_separation_of_duties=False),
    "Environment.promotion_policy": lambda world: world.environment(promotion_policy="default"),
    "Environment.approval_policies": lambda world: world.environment(approval_policies=[]),
    "Environment.auto_promote_from": lambda world: world.environment(auto_promote_from="staging"),
    "Environment.auto_promote_hold": lambda world: world.environment(auto_promote_hold=False),
    "Environment.exclusive": lambda world: world.environment(exclusive="product"),
    "Environment.require_manifest_report": lambda world: world.environment(require_manifest_report=False),
    "Environment.archived_at": Strict.archives,
    "Environment.other_products": lambda world: world.environment(other_products="allow"),
    "EnvironmentApprovalPolicy.products": lambda world: world.environment(
        product_approval_policies=[{"name": "of-main", "products": ["other"]}]
    ),
    "EnvironmentApprovalPolicy.policy": lambda world: world.environment(approval_policies=["release-only"]),
    "FreezeWindow.starts_at": lambda world: world.freeze(start=world.clock.now() + timedelta(hours=2)),
    "FreezeWindow.ends_at": lambda world: world.freeze(end=world.clock.now() + timedelta(hours=2)),
    "FreezeWindow.products": lambda world: world.freeze(products=["main"]),
    "FreezeWindow.exceptions": lambda world: world.freeze(exceptions=["second"]),
    "FreezeWindow.cleared_at": Strict.lifts,
    "ApprovalPolicy.current": Strict.approval_policy,
    "PromotionPolicy.current": Strict.promotion_policy,
    "TrustedKey.name": lambda world: world.trusts("ci"),
    "Feed.entry_count": lambda world: world.feed("epss", ONE_SCORE),
    "FeedEntry.cve": lambda world: world.feed("kev", kev(("CVE-2026-0001", "2026-10-01"))),
    "FeedEntry.listed_on": lambda world: world.feed(
        "kev", kev(("CVE-2026-0001", "2026-10-01"), ("CVE-2025-0009", "2026-02-03"))
    ),
    "ScopeGrant.scope": Strict.lets_override,
    "ImageRepository.product": lambda world: world.product(image_repositories=["registry.example/app"]),
    "ImageRepository.is_shared": lambda world: world.shares("nginx"),
    "Product.owner_teams": lambda world: world.owned_by("release", "security"),
    "Product.path": lambda world: world.product(path=["dev", "production"]),
    "Environment.required_on_every_path": lambda world: world.change(world.kestrel.dev, required_on_every_path=False),
    "SignInSettings.second_factor_from": Strict.requires_no_second_factor,
}
"""What one administrator does; it waits for a second person."""
