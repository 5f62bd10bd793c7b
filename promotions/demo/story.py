"""The last month at Kestrel Pay, made by the real actions with a clock that stands in the past."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models import Exists, OuterRef

from environments.actions.create_freeze_window import create_freeze_window
from environments.freezes import freeze_states
from environments.models import Environment
from promotions.actions.approve import approve
from promotions.actions.cancel import cancel
from promotions.actions.evaluate import reevaluate
from promotions.actions.reject import reject
from promotions.actions.releases import ComponentSpec, ReleaseSpec, create_release
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.actions.upload_document import Upload, read_upload, upload_document
from promotions.demo.artifacts import Artifact, pinned
from promotions.demo.cast import CI, INTERNAL, SCANNER, Cast, Changed
from promotions.demo.scans import ROUNDING, Weakness, report
from promotions.models import Promotion, Release
from promotions.states import ACTIVE, Status
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import system_actor
from stellapromote.accounts.scopes import EVIDENCE_WRITE
from stellapromote.clock import FixedClock, rfc3339

FREEZE_LASTS = timedelta(minutes=30)
LEFT_TO_DECIDE = timedelta(hours=1)

_SHIPS = {
    "payments": ("django", "psycopg", "granian", "whitenoise"),
    "checkout": ("djangorestframework", "orjson", "structlog"),
    "ledger": ("rfc8785", "cvss"),
    INTERNAL: ("markdown-it-py",),
}


class Story:
    """Plays the story step by step; every step moves the clock on."""

    def __init__(self, cast: Cast, clock: FixedClock, requirements: Path) -> None:
        self.cast = cast
        self.clock = clock
        self._artifacts = pinned(requirements)
        self._builds = 0

    def at(self, moment: datetime) -> None:
        """Moves the clock to ``moment``, unless it is there already."""
        self.clock.advance(max(timedelta(0), moment - self.clock.now()))

    def release(
        self, name: str, product: str, *, by: str, what: str, found: Iterable[Weakness] = (), scanned_by: str = SCANNER
    ) -> Release:
        """A finalized release whose artifacts are scanned; ``found`` is in the first of them."""
        self._builds += 1
        components = [self._component(package, index) for index, package in enumerate(_SHIPS[product])]
        commit = hashlib.sha1(f"{product} {name}".encode(), usedforsecurity=False).hexdigest()
        release = create_release(
            ReleaseSpec(
                name=name,
                product=product,
                display_name=f"{product.capitalize()} {name}",
                description=what,
                source_ref=_source(product, commit, self._builds),
                components=components,
            ),
            by=self.cast.actors[by],
            finalize=True,
            clock=self.clock,
        )
        self._scan(components, found, scanned_by)
        return release

    def ask(
        self, release: Release, target: Environment, reason: str, *, by: str = "tomas", ref: str | None = None
    ) -> Promotion:
        self.clock.advance(timedelta(minutes=2))
        change = None if ref is None else {"ref": ref, "url": None, "type": "standard", "backout": None}
        return request_promotion(
            PromotionRequest(release.pk, target.pk, reason, change), by=self.cast.actors[by], clock=self.clock
        )

    def votes(self, promotion: Promotion, *voters: str, comment: str = "") -> Promotion:
        for voter in voters:
            self.clock.advance(timedelta(minutes=17))
            promotion = approve(
                promotion.pk,
                by=self.cast.actors[voter],
                comment=comment,
                seen=SeenSubject(promotion.subject_digest),
                clock=self.clock,
            )
        return promotion

    def starts(self, promotion: Promotion) -> Promotion:
        self.clock.advance(timedelta(minutes=4))
        return self._report(promotion, Report("started", manifest_digest=promotion.manifest_digest))

    def succeeds(self, promotion: Promotion) -> Promotion:
        self.clock.advance(timedelta(minutes=6))
        return self._report(promotion, Report("succeeded", manifest_digest=promotion.manifest_digest))

    def fails(self, promotion: Promotion, why: str) -> Promotion:
        self.clock.advance(timedelta(minutes=6))
        return self._report(promotion, Report("failed", message=why))

    def rolls_back(self, promotion: Promotion, why: str) -> Promotion:
        self.clock.advance(timedelta(minutes=42))
        return self._report(promotion, Report("rolled_back", message=why))

    def goes_to_dev(self, release: Release) -> None:
        self.succeeds(self.starts(self.ask(release, self.cast.dev, "Built and tested.", by="ravi")))

    def goes_to_staging(self, release: Release, voter: str = "nia") -> None:
        self.goes_to_dev(release)
        promotion = self.ask(release, self.cast.staging, "Ready for acceptance tests.")
        self.succeeds(self.starts(self.votes(promotion, voter)))

    def goes_live(self, release: Release, reason: str, ref: str | None = None) -> Promotion:
        self.goes_to_staging(release)
        promotion = self.ask(release, self.cast.production, reason, ref=ref)
        return self.succeeds(self.starts(self.votes(promotion, "mei", "nia")))

    def rejected(self, promotion: Promotion, why: str) -> None:
        self.clock.advance(timedelta(minutes=31))
        reject(
            promotion.pk,
            by=self.cast.actors["mei"],
            reason=why,
            seen=SeenSubject(promotion.subject_digest),
            clock=self.clock,
        )

    def cancelled(self, promotion: Promotion, why: str) -> None:
        self.clock.advance(timedelta(minutes=9))
        cancel(promotion.pk, by=self.cast.actors["tomas"], reason=why, clock=self.clock)

    def freeze_staging(self, until: datetime) -> None:
        create_freeze_window(
            by=self.cast.actors["greta"],
            clock=self.clock,
            environment_id=self.cast.staging.pk,
            name="Acceptance tests",
            start=rfc3339(self.clock.now()),
            end=rfc3339(until),
            reason="Acceptance tests run",
        )

    def _component(self, package: str, index: int) -> ComponentSpec:
        artifact: Artifact = self._artifacts[package]
        return artifact.component(self._builds + index, role="primary" if index == 0 else "sidecar")

    def _scan(self, components: list[ComponentSpec], found: Iterable[Weakness], by: str) -> None:
        """By a machine of the tenant, unless it has none of this name that may upload."""
        machine = self.cast.actors.get(by)
        if machine is None or not machine.has(EVIDENCE_WRITE):
            return
        for component in components:
            inside = found if component is components[0] else ()
            content = report(component.image_repository, component.digest, self.clock.now(), inside)
            reading = read_upload(Upload(component.digest, "vulnerabilities", content), by=machine)
            upload_document(reading, by=machine, clock=self.clock)

    def _report(self, promotion: Promotion, report: Report) -> Promotion:
        return report_deployment(promotion.pk, report, by=self.cast.actors[CI], clock=self.clock)


def play_story(story: Story, now: datetime) -> None:
    """A month of history, then everything that is in the air at ``now``."""
    history(story, now)
    present(story, now)


def history(story: Story, now: datetime) -> None:
    """Four weeks of releases: live ones, refused ones, rolled back ones."""
    for weeks, week in ((4, 43), (3, 44), (2, 45)):
        story.at(now - timedelta(weeks=weeks, hours=3))
        release = story.release(f"2026.{week}.1", "payments", by="ravi", what="Weekly release of the payment service.")
        story.goes_live(release, "Weekly release.", ref=f"CHG-{4000 + week}")
        story.at(now - timedelta(weeks=weeks, days=-2, hours=5))
        checkout = story.release(f"checkout-{week}.0", "checkout", by="ravi", what="Weekly release of the checkout.")
        story.goes_live(checkout, "Weekly release.")
    story.at(now - timedelta(days=12))
    handbook = story.release("handbook-7", INTERNAL, by="ravi", what="How to open an account.")
    story.goes_to_staging(handbook)
    story.at(now - timedelta(days=9))
    hasty = story.release("2026.46.1", "payments", by="ravi", what="Faster settlement.")
    live = story.goes_live(hasty, "Settlement is late at month end.", ref="CHG-4046")
    story.rolls_back(live, "Settlement totals were off by rounding.")


def present(story: Story, now: datetime) -> None:
    """One promotion in every state that a newcomer should see, and one that waits for Nia."""
    cast = story.cast
    story.at(now - timedelta(days=3))
    insecure = story.release("checkout-46.1", "checkout", by="ravi", what="New card form.")
    story.goes_to_staging(insecure)
    story.rejected(
        story.ask(insecure, cast.production, "The card form is wanted for the campaign."),
        "The card form logs the last four digits. Remove that, then ask again.",
    )
    story.at(now - timedelta(days=1, hours=4))
    broken = story.release("checkout-46.2", "checkout", by="ravi", what="Card form without the log line.")
    story.goes_to_dev(broken)
    attempt = story.votes(story.ask(broken, cast.staging, "Acceptance tests of the card form."), "nia")
    story.fails(story.starts(attempt), "The migration job ran out of memory.")
    mistaken = story.release("checkout-46.3", "checkout", by="ravi", what="Wrong branch.")
    story.goes_to_dev(mistaken)
    story.cancelled(story.ask(mistaken, cast.staging, "Acceptance tests."), "Built from the wrong branch.")

    story.at(now - timedelta(hours=9))
    alone = story.release("ledger-1.0", "ledger", by=CI, what="Built, scanned and requested by CI.", scanned_by=CI)
    story.goes_to_staging(alone)
    story.votes(story.ask(alone, cast.production, "The ledger is ready.", by=CI), "mei", "nia")
    waiting = story.release("2026.47.1", "payments", by="ravi", what="Instant refunds.", found=[ROUNDING])
    story.goes_to_staging(waiting)
    approved = story.release("checkout-47.1", "checkout", by="ravi", what="Card form, reviewed by security.")
    story.goes_to_staging(approved, voter="mei")
    story.votes(story.ask(approved, cast.production, "Campaign starts tomorrow.", ref="CHG-4051"), "mei", "nia")
    held = story.release("2026.47.2", "payments", by="ravi", what="Refund e-mails in two languages.", found=[ROUNDING])
    story.goes_to_dev(held)
    story.votes(
        story.ask(waiting, cast.production, "Customers wait for instant refunds.", ref="CHG-4052"),
        "mei",
        comment="Scanned: one medium finding, mended in kestrel-fx 2.3.1.",
    )
    story.at(now - timedelta(minutes=12))
    running = story.release("2026.47.3", "payments", by="ravi", what="Retry of failed payouts.", found=[ROUNDING])
    story.starts(story.ask(running, cast.dev, "Built and tested.", by="ravi"))
    story.freeze_staging(now + FREEZE_LASTS)
    frozen = story.ask(held, cast.staging, "Acceptance tests of the e-mails.")
    reevaluate(frozen.pk, by=system_actor(cast.tenant.pk, cast.tenant.slug), clock=story.clock)


def ensure_something_waits(story: Story, now: datetime) -> Promotion:
    """Something of tomas, built by ravi, that only Nia's approval is missing for, for an hour at least, or the end of a
    freeze besides; made when there is nothing. For production, unless it would have to pass a frozen staging first.

    Raises Changed when it is not her approval that is missing, and the refusals of the actions.
    """
    cast = story.cast
    for_production = _waiting(cast, cast.production, now)
    if for_production is not None:
        return for_production
    ready = _ready(cast)
    if ready is None:
        frozen = freeze_states(cast.tenant.pk, [cast.dev.pk, cast.staging.pk], now)
        staging_is_frozen = frozen[cast.staging.pk]["frozen"]
        for_staging = _waiting(cast, cast.staging, now) if staging_is_frozen else None
        if for_staging is not None:
            return for_staging
        if frozen[cast.dev.pk]["frozen"]:
            raise Changed("a freeze keeps everything out of Development. Lift it and start again for something new.")
        number = Release.objects.filter(tenant=cast.tenant).count()
        ready = story.release(f"checkout-48.{number}", "checkout", by="ravi", what="The next release of the checkout.")
        if staging_is_frozen:
            story.goes_to_dev(ready)
            return _evaluated(story, story.ask(ready, cast.staging, "Ready for acceptance tests."), now)
        story.goes_to_staging(ready)
    asked = story.ask(ready, cast.production, "Wanted by customers.")
    return _evaluated(story, story.votes(asked, "mei", comment="Scanned, nothing open."), now)


def not_believed(cast: Cast) -> Promotion | None:
    """A release that CI scanned and requested itself, held back by its security gate."""
    return Promotion.objects.filter(
        tenant=cast.tenant,
        requested_by=cast.actors[CI].account,
        status=Status.PENDING,
        gates__contains=[{"type": "security", "status": "pending"}],
    ).first()


def _waiting(cast: Cast, target: Environment, now: datetime) -> Promotion | None:
    return (
        Promotion.objects.awaiting_decision_by(cast.actors["nia"])
        .filter(
            tenant=cast.tenant,
            target_environment=target,
            requested_by=cast.actors["tomas"].account,
            release__created_by=cast.actors["ravi"].account,
            pending_expires_at__gt=now + LEFT_TO_DECIDE,
        )
        .first()
    )


def _ready(cast: Cast) -> Release | None:
    """The newest release in staging that was neither rejected nor cancelled, and that is newer than the one that runs
    in production or is on its way there."""
    promotions = Promotion.objects.filter(tenant=cast.tenant)
    in_staging = promotions.deployed_in(cast.staging)
    unwanted = promotions.filter(status__in=[Status.REJECTED, Status.ROLLED_BACK])
    as_new = promotions.filter(
        target_environment=cast.production,
        status__in=sorted(ACTIVE | {Status.DEPLOYED}),
        product=OuterRef("product"),
        release__created_at__gte=OuterRef("created_at"),
    )
    return (
        Release.objects.filter(
            ~Exists(as_new),
            tenant=cast.tenant,
            status=Release.Status.FINALIZED,
            created_by=cast.actors["ravi"].account,
            pk__in=in_staging.values("release"),
        )
        .exclude(pk__in=unwanted.values("release"))
        .exclude(product=INTERNAL)
        .order_by("-created_at")
        .first()
    )


def _evaluated(story: Story, asked: Promotion, now: datetime) -> Promotion:
    """The request, as it is judged ``now``. Raises Changed when it does not wait for Nia."""
    cast = story.cast
    story.at(now)
    asked = reevaluate(asked.pk, by=system_actor(cast.tenant.pk, cast.tenant.slug), clock=story.clock)
    if not asked.awaits_decision_by(cast.actors["nia"]):
        target = asked.target_environment.name
        raise Changed(f"what is requested for {target} does not wait for Nia any more.")
    return asked


def _source(product: str, commit: str, build: int) -> dict[str, Any]:
    return {
        "repository": f"kestrel-pay/{product}",
        "commitSha": commit,
        "branch": "main",
        "buildId": str(build),
        "pipelineUrl": None,
        "authors": ["ravi"],
    }
