"""Whatever the order, the paths and the requests: a release enters an environment only after the one before it on the
path of its product, compared with a model in plain Python (domain.md §1b)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments.actions.unarchive_environment import unarchive_environment
from environments.actions.update_environment import update_environment
from environments.models import Environment
from promotions.actions.archive_environment import archive_environment
from promotions.actions.products import create_product, update_product
from promotions.judging.ordering import entries
from promotions.models import Promotion, Release
from stellapromote.clock import FixedClock
from stellapromote.errors import ProductError
from tests.examples import examples
from tests.factories import make_environment
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

NAMES = ("dev", "qa", "staging", "production")
PRODUCTS = ("main", "ledger")


@dataclass
class Model:
    """What the tenant should let in. ``deployed``: the releases in each environment, the newest last."""

    order: list[str] = field(default_factory=lambda: [*NAMES])
    said: dict[str, bool | None] = field(default_factory=lambda: dict.fromkeys(NAMES))
    production: set[str] = field(default_factory=lambda: {"production"})
    paths: dict[str, list[str] | None] = field(default_factory=lambda: dict.fromkeys(PRODUCTS))
    deployed: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def is_required(self, name: str) -> bool:
        said = self.said[name]
        if said is not None:
            return said
        following = self.order[self.order.index(name) + 1 :]
        return bool(following) and following[0] in self.production

    def route(self, product: str) -> list[str]:
        path = self.paths[product]
        return [name for name in self.order if path is None or name in path or self.is_required(name)]

    def takes(self, path: list[str] | None) -> bool:
        if path is None:
            return True
        in_order = [name for name in self.order if name in path]
        return path == in_order and all(name in path for name in self.order if self.is_required(name))

    def enters(self, product: str, release: str, name: str) -> tuple[str, str | None]:
        """The code of the refusal, or nothing and the source."""
        if name not in self.order:
            return "ENV_ARCHIVED", None
        route = self.route(product)
        if name not in route:
            return "PROM_NOT_ON_PATH", None
        place = route.index(name)
        before = route[place - 1] if place else None
        if before is not None and release in self.deployed[before]:
            return "", before
        if before is None or release in self.deployed[name]:
            return "", None
        return "PROM_SEQUENCE_VIOLATION", None


names = st.sampled_from(NAMES)
products = st.sampled_from(PRODUCTS)
paths = st.none() | st.permutations(NAMES).flatmap(lambda each: st.integers(1, 4).map(lambda n: [*each[:n]]))
sorted_paths = st.none() | st.sets(names, min_size=1).map(lambda found: [name for name in NAMES if name in found])
edits = st.one_of(
    st.tuples(st.just("move"), names, st.integers(0, 3)),
    st.tuples(st.just("say"), names, st.sampled_from([True, False, None])),
    st.tuples(st.just("call production"), names, st.booleans()),
    st.tuples(st.just("archive"), names, st.integers(0, 3)),
    st.tuples(st.just("go"), products, sorted_paths | paths),
)
requests = st.tuples(st.just("request"), st.sampled_from(["main-1", "main-2", "ledger-1", "ledger-2"]), names)
rollbacks = st.tuples(st.just("roll back"), products, names)
# Requests are drawn more often, or few releases would get anywhere.
histories = st.lists(st.one_of(requests, requests, requests, edits, edits, rollbacks), min_size=6, max_size=24)


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    """Four environments that anything may enter whose turn it is, and edits that one person makes alone."""
    kestrel = make_kestrel()
    admin, clock = kestrel["admin"], kestrel.clock
    make_environment(admin, "qa", 9, clock=clock)
    create_product(by=admin, clock=clock, slug="ledger")
    open_to_all = {"required_approvals": 0, "approval_policies": [], "protected": False}
    for number, name in enumerate(NAMES):
        environment = Environment.objects.get(name=name)
        changes = {**open_to_all, "order_index": 20 + number}
        kestrel.wait()
        confirmed(
            update_environment(by=admin, clock=clock, environment_id=environment.pk, changes=changes), kestrel.clock
        )
    for product in PRODUCTS:
        for number in (1, 2):
            kestrel.release(product=product, name=f"{product}-{number}")
    return kestrel


@pytest.mark.slow
@pytest.mark.django_db
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_what_enters_is_what_the_model_lets_in(kestrel: Kestrel, history: list[tuple[str, str, Any]]) -> None:
    kestrel = replace(kestrel, clock=FixedClock(kestrel.clock.now()))
    model = Model()
    with transaction.atomic():
        for act, subject, value in history:
            ACTS[act](kestrel, model, subject, value)
            for release in Release.objects.filter(tenant=kestrel.tenant):
                assert [target.name for target, _ in entries(release)] == model.route(release.product)
        transaction.set_rollback(True)


def _change(kestrel: Kestrel, name: str, **changes: Any) -> None:
    kestrel.wait()
    environment = Environment.objects.get(name=name)
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=environment.pk, changes=changes)


def _move(kestrel: Kestrel, model: Model, name: str, place: int) -> None:
    if name not in model.order or place >= len(model.order):
        return
    taken = Environment.objects.get(name=model.order[place]).order_index
    _change(kestrel, name, order_index=taken)
    model.order.remove(name)
    model.order.insert(place, name)


def _say(kestrel: Kestrel, model: Model, name: str, required: bool | None) -> None:
    if name in model.order:
        _change(kestrel, name, required_on_every_path=required)
        model.said[name] = required


def _call_production(kestrel: Kestrel, model: Model, name: str, is_production: bool) -> None:
    if name in model.order:
        _change(kestrel, name, is_production=is_production)
        model.production = model.production | {name} if is_production else model.production - {name}


def _archive(kestrel: Kestrel, model: Model, name: str, place: int) -> None:
    """Or, of an archived one, its return to a place before all or after all."""
    kestrel.wait()
    environment = Environment.objects.get(name=name)
    options: dict[str, Any] = {"by": kestrel["admin"], "clock": kestrel.clock, "environment_id": environment.pk}
    if name in model.order:
        archive_environment(**options)
        model.order.remove(name)
        return
    indexes = [each.order_index or 0 for each in Environment.objects.of(kestrel.tenant.pk).live()]
    first = place % 2 == 0
    unarchive_environment(**options, order_index=min(indexes, default=9) - 1 if first else max(indexes, default=9) + 1)
    model.order.insert(0 if first else len(model.order), name)


def _go(kestrel: Kestrel, model: Model, product: str, path: list[str] | None) -> None:
    kestrel.wait()
    by, clock, changes = kestrel["admin"], kestrel.clock, {"path": path}
    stays = path == model.paths[product]
    refused = _refusal(lambda: update_product(by=by, clock=clock, slug=product, changes=changes))
    assert refused == ("" if stays or model.takes(path) else "VAL_INVALID")
    if not refused:
        model.paths[product] = path


def _request(kestrel: Kestrel, model: Model, name: str, target: str) -> None:
    release, environment = Release.objects.get(name=name), Environment.objects.get(name=target)
    code, source = model.enters(release.product, name, target)
    assert _refusal(lambda: kestrel.ask(release, environment)) == code
    if code:
        return
    promotion = Promotion.objects.latest("number")
    assert (promotion.source_environment and promotion.source_environment.name) == source
    kestrel.deploys(promotion)
    model.deployed[target].append(name)


def _refusal(act: Callable[[], Any]) -> str:
    """The code with which it is refused, or nothing."""
    try:
        with transaction.atomic():
            act()
    except ProductError as refusal:
        return refusal.code
    return ""


def _roll_back(kestrel: Kestrel, model: Model, product: str, target: str) -> None:
    found = Promotion.objects.filter(target_environment__name=target, product=product, status="deployed")
    newest = found.order_by("-started_at").first()
    if newest is not None:
        kestrel.reports(newest, "rolled_back", message="Slow")
        releases = model.deployed[target]
        place = max(index for index, name in enumerate(releases) if name.startswith(product))
        del releases[place]


ACTS: dict[str, Callable[[Kestrel, Model, str, Any], None]] = {
    "move": _move,
    "say": _say,
    "call production": _call_production,
    "archive": _archive,
    "go": _go,
    "request": _request,
    "roll back": _roll_back,
}
