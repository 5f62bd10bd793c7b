"""Releases deployed, rolled back or waiting, by the real actions; nobody has to approve into these environments."""

from environments.models import Environment
from promotions.actions.releases import ComponentSpec, ReleaseSpec, create_release
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.models import Promotion, Release
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK


def release(by: Actor, name: str, product: str = "main", *, clock: Clock = DATABASE_CLOCK) -> Release:
    """A finalized release of one component."""
    component = ComponentSpec(name="app", image_repository=f"registry.example/{product}", digest="sha256:" + "a" * 64)
    spec = ReleaseSpec(name=name, product=product, components=[component])
    return create_release(spec, by=by, finalize=True, clock=clock)


def request(by: Actor, what: Release, target: Environment, *, clock: Clock = DATABASE_CLOCK) -> Promotion:
    return request_promotion(PromotionRequest(what.pk, target.pk, "Because"), by=by, clock=clock)


def deploy(by: Actor, what: Release, target: Environment, *, clock: Clock = DATABASE_CLOCK) -> Promotion:
    promotion = request(by, what, target, clock=clock)
    report_deployment(promotion.pk, Report("started"), by=by, clock=clock)
    return report_deployment(promotion.pk, Report("succeeded"), by=by, clock=clock)


def roll_back(by: Actor, promotion: Promotion, *, clock: Clock = DATABASE_CLOCK) -> Promotion:
    return report_deployment(promotion.pk, Report("rolled_back", "It was slow"), by=by, clock=clock)
