"""What holds between the promotions of one product holds between no two products (domain.md §1b, §4): each promise once
with a second release of the same product, and once with one of another product."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from environments.actions.update_environment import update_environment
from environments.models import Environment
from environments.rules import NotDirectlyBefore
from promotions.actions.products import create_product, update_product
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.actions.start_check import EnvironmentBusy
from promotions.judging.ordering import SequenceViolation
from promotions.models import Promotion, Release
from promotions.reading.environment_state import current_releases, open_promotions
from promotions.voting.rules import StateForbids
from promotions.worker.round import run_round
from stellapromote.errors import RuleViolation
from tests.factories import make_environment, make_promotion_policy
from tests.kept import continued, kept
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db

Promise = Callable[[Kestrel, str], bool]
"""Whether the second release, of this product, met the promise; the first one is of main."""


def sequence(kestrel: Kestrel, product: str) -> bool:
    """A release enters staging after it ran in dev: the one of its name does not open the way for others."""
    kestrel.deploys(kestrel.ask(kestrel.release(name="1.0"), kestrel.dev))
    second = Release.objects.filter(name="1.0", product=product).first() or kestrel.release(name="1.0", product=product)
    try:
        kestrel.ask(second, kestrel.staging)
    except SequenceViolation:
        return False
    return True


def exclusivity(kestrel: Kestrel, product: str) -> bool:
    """One deployment at a time."""
    running, second = (kestrel.ask(kestrel.release(product=each), kestrel.dev) for each in ("main", product))
    kestrel.reports(running, "started")
    try:
        kestrel.reports(second, "started")
    except EnvironmentBusy:
        return True
    return False


def superseding(kestrel: Kestrel, product: str) -> bool:
    """What is approved cancels what waited longer, where the policy says so."""
    admin, clock = kestrel["admin"], kestrel.clock
    make_promotion_policy(admin, "newest-only", clock=clock, supersedeOlder=True)
    changes = {"promotion_policy": "newest-only"}
    update_environment(by=admin, clock=clock, environment_id=kestrel.staging.pk, changes=changes)
    older, newer = (kestrel.ask(_runs_in_dev(kestrel, each), kestrel.staging) for each in ("main", product))
    kestrel.approves("approver", newer)
    older.refresh_from_db()
    return older.status_reason == "superseded"


def automatic_promotion(kestrel: Kestrel, product: str) -> bool:
    """Each deployment is followed by a request for its own release."""
    admin, clock = kestrel["admin"], kestrel.clock
    changes = {"auto_promote_from": "dev"}
    update_environment(by=admin, clock=clock, environment_id=kestrel.staging.pk, changes=changes)
    deployed = {_runs_in_dev(kestrel, each).pk for each in ("main", product)}
    run_round("worker", clock)
    followers = Promotion.objects.filter(target_environment=kestrel.staging)
    assert {each.release_id for each in followers} == deployed
    return {each.product for each in followers} == {"main"}


def votes(kestrel: Kestrel, product: str) -> bool:
    """Another running release is another subject, so the votes are void."""
    waiting = kestrel.waits_for_production()
    kestrel.approves("approver", waiting)
    kestrel.deploys(kestrel.approved_for_production(product=product))
    waiting.refresh_from_db()
    before = waiting.subject_digest
    run_round("worker", kestrel.clock)
    waiting.refresh_from_db()
    voided = not waiting.votes.filter(ended_at=None).exists()
    assert voided is (waiting.subject_digest != before)
    return voided


def rolling_back(kestrel: Kestrel, product: str) -> bool:
    """The newest deployment alone is rolled back."""
    first = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.deploys(first)
    _runs_in_dev(kestrel, product)
    try:
        kestrel.reports(first, "rolled_back", message="Broken")
    except StateForbids:
        return True
    return False


def going_back(kestrel: Kestrel, product: str) -> bool:
    """A request for a release that ran there before another one of the product is a rollback."""
    first = _runs_in_dev(kestrel, "main")
    _runs_in_dev(kestrel, product)
    with suppress(RuleViolation):
        asked = PromotionRequest(first.pk, kestrel.dev.pk, "Wanted")
        return preview_promotion(asked, by=kestrel["requester"], clock=kestrel.clock).promotion.is_rollback
    return False


def what_runs(kestrel: Kestrel, product: str) -> bool:
    """A newer deployment takes the place of the one before."""
    first = _runs_in_dev(kestrel, "main")
    _runs_in_dev(kestrel, product)
    found = current_releases(kestrel.tenant.pk, [kestrel.dev.pk])[kestrel.dev.pk]
    return str(first.pk) not in {each["id"] for each in found}


def what_waits(kestrel: Kestrel, product: str) -> bool:
    """The open promotions of a product are counted."""
    kestrel.ask(kestrel.release(product=product), kestrel.dev)
    return open_promotions(kestrel.tenant.pk, [kestrel.dev.pk], product="main").get(kestrel.dev.pk, 0) == 1


@continued
def _runs_in_dev(kestrel: Kestrel, product: str) -> Release:
    release = kestrel.release(product=product)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return release


PROMISES: tuple[Promise, ...] = (
    *(sequence, exclusivity, superseding, automatic_promotion, votes),
    *(rolling_back, going_back, what_runs, what_waits),
)


@pytest.mark.parametrize("product", ["main", "ledger"])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_promise_holds_within_a_product(promise: Promise, product: str) -> None:
    assert promise(make_kestrel(), product) is (product == "main")


@kept
def with_paths() -> Kestrel:
    """Each product has a path of its own. An environment that both leave out stands between those that they pass."""
    kestrel = make_kestrel()
    admin, clock = kestrel["admin"], kestrel.clock
    make_environment(admin, "qa", 9, clock=clock)
    for name, place in (("staging", 12), ("production", 13), ("qa", 11)):
        environment = Environment.objects.get(name=name)
        moved = update_environment(by=admin, clock=clock, environment_id=environment.pk, changes={"order_index": place})
        confirmed(moved, clock)
    create_product(by=admin, clock=clock, slug="ledger")
    for slug in ("main", "ledger"):
        changes = {"path": ["dev", "staging", "production"]}
        confirmed(update_product(by=admin, clock=clock, slug=slug, changes=changes), clock)
    kestrel.wait()
    return kestrel


@pytest.mark.parametrize("product", ["main", "ledger"])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_promise_holds_where_each_product_has_a_path_of_its_own(promise: Promise, product: str) -> None:
    kestrel = with_paths()
    if promise is automatic_promotion:
        # qa stands directly before staging, and on no path.
        with pytest.raises(NotDirectlyBefore):
            promise(kestrel, product)
        return
    assert promise(kestrel, product) is (product == "main")
