"""A token that is limited to products reads everything, and writes releases and promotions of these alone (domain.md
§1b, docs/adr/0228)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from promotions.actions.cancel import cancel
from promotions.actions.evaluate import evaluate
from promotions.actions.products import archive_product
from promotions.actions.releases import (
    ComponentSpec,
    ReleaseSpec,
    archive_release,
    create_release,
    deprecate_release,
    finalize_release,
    update_release,
)
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, preview_promotion, request_promotion
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, User
from stellapromote.accounts.scopes import LIMITED_TO_PRODUCTS, NEVER_FOR_SERVICES, SCOPES
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, Refused
from tests.factories import actor_of_token, make_service, make_token
from tests.promotions.kestrel import Kestrel, make_kestrel

WRITES = ["release:write", "promotion:request", "promotion:cancel", "promotion:deploy"]
IMAGE = ComponentSpec("app", "registry.example/ledger", "sha256:" + "ab" * 32)


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    """With a release of product ledger."""
    kestrel = make_kestrel()
    kestrel.release(product="ledger")
    return kestrel


def token(kestrel: Kestrel, *products: str, scopes: Any = None) -> str:
    owner, everything = User.objects.get(username="requester"), SCOPES.keys() - NEVER_FOR_SERVICES
    service = make_service(kestrel.tenant, owner, scopes=everything, clock=kestrel.clock)
    return make_token(kestrel.tenant, service.user, products=products, scopes=scopes, clock=kestrel.clock)


@pytest.fixture
def limited(kestrel: Kestrel) -> Actor:
    return actor_of_token(token(kestrel, "ledger"))


def refuses(act: Callable[[], Any], product: str = "main") -> None:
    with pytest.raises(Refused, match=f"limited to ledger: use one that is not, or is for {product}") as no:
        act()
    assert (no.value.code, no.value.details) == ("PERM_DENIED", {"product": product, "products": ["ledger"]})


def test_it_has_the_rights_that_can_be_limited_and_no_other(kestrel: Kestrel, limited: Actor) -> None:
    assert limited.products == ("ledger",)
    assert limited.scopes == LIMITED_TO_PRODUCTS
    row = ApiToken.objects.get(pk=limited.token_id)
    assert (row.products, sorted(row.product_scopes)) == (["ledger"], sorted(WRITES))
    # All that a process of an earlier version reads.
    assert set(row.scopes).isdisjoint(WRITES)
    event = AuditEvent.objects.get(action="token.issued", resource_id=str(row.pk))
    assert (event.after["products"], event.after["scopes"]) == (["ledger"], row.all_scopes)


def test_it_writes_releases_of_its_products_alone(kestrel: Kestrel, limited: Actor) -> None:
    clock = kestrel.clock
    theirs = kestrel.release(finalize=False)
    own = create_release(ReleaseSpec("ledger-2", product="ledger"), by=limited, clock=clock)
    for act in (
        lambda: create_release(ReleaseSpec("main-2"), by=limited, clock=clock),
        lambda: update_release(theirs.pk, {"display_name": "x"}, by=limited, clock=clock),
        lambda: update_release(theirs.pk, {"product": "ledger"}, by=limited, clock=clock),
        lambda: update_release(own.pk, {"product": "main"}, by=limited, clock=clock),
        lambda: finalize_release(theirs.pk, by=limited, clock=clock),
        lambda: deprecate_release(theirs.pk, by=limited, reason="x", clock=clock),
        lambda: archive_release(theirs.pk, by=limited, clock=clock),
    ):
        refuses(act)
    update_release(own.pk, {"components": [IMAGE]}, by=limited, clock=clock)
    finalize_release(own.pk, by=limited, clock=clock)
    deprecate_release(own.pk, by=limited, reason="x", clock=clock)
    assert archive_release(own.pk, by=limited, clock=clock).status == "archived"


def test_it_makes_no_product(kestrel: Kestrel, limited: Actor) -> None:
    refuses(lambda: create_release(ReleaseSpec("1", product="new"), by=limited, clock=kestrel.clock), "new")


def test_it_promotes_its_products_alone(kestrel: Kestrel, limited: Actor) -> None:
    clock = kestrel.clock
    theirs, own = kestrel.release(), kestrel.release(product="ledger")
    promotion = kestrel.ask(theirs, kestrel.dev)
    for act in (
        lambda: request_promotion(PromotionRequest(theirs.pk, kestrel.dev.pk, "x"), by=limited, clock=clock),
        lambda: preview_promotion(PromotionRequest(theirs.pk, kestrel.dev.pk, "x"), by=limited, clock=clock),
        lambda: evaluate(promotion.pk, by=limited, clock=clock),
        lambda: report_deployment(promotion.pk, Report("started"), by=limited, clock=clock),
    ):
        refuses(act)
    asked = request_promotion(PromotionRequest(own.pk, kestrel.dev.pk, "x"), by=limited, clock=clock)
    evaluate(asked.pk, by=limited, clock=clock)
    for status in ("started", "succeeded"):
        asked = report_deployment(asked.pk, Report(status), by=limited, clock=clock)
    assert asked.status == "deployed"


def test_it_cancels_nothing_of_another_product(kestrel: Kestrel) -> None:
    """Not even what its own person requested."""
    person = User.objects.get(username="requester")
    theirs, own = (kestrel.ask(kestrel.release(product=product), kestrel.dev) for product in ("main", "ledger"))
    by = actor_of_token(make_token(kestrel.tenant, person, products=["ledger"], clock=kestrel.clock))
    refuses(lambda: cancel(theirs.pk, by=by, clock=kestrel.clock))
    assert cancel(own.pk, by=by, clock=kestrel.clock).status == "cancelled"


@pytest.mark.parametrize("scope", ["evidence:write", "policy:write", "environment:write", "tenant:admin"])
def test_no_other_right_is_limited(kestrel: Kestrel, scope: str) -> None:
    with pytest.raises(Invalid) as refused:
        token(kestrel, "ledger", scopes=["release:write", scope])
    assert [each.field for each in refused.value.fields] == ["scopes"]


@pytest.mark.parametrize("products", [["nothing"], ["ledger", "nothing"], ["old"], [""], ["Ledger"]])
def test_products_are_there_and_not_archived(kestrel: Kestrel, products: list[str]) -> None:
    other = make_kestrel("other", prefix="other-")
    other.release(product="nothing")
    kestrel.release(product="old")
    archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="old")
    with pytest.raises(Invalid) as refused:
        token(kestrel, *products)
    assert [each.field for each in refused.value.fields] == [f"products[{len(products) - 1}]"]


def test_the_database_keeps_the_limit(kestrel: Kestrel, limited: Actor) -> None:
    with pytest.raises(IntegrityError, match="token_products_for_scopes"), transaction.atomic():
        ApiToken.objects.create(
            tenant=kestrel.tenant,
            user_id=limited.user_id,
            name="x",
            public_id="x",
            secret_digest=b"x",
            scopes=[],
            product_scopes=["release:write"],
            created_at=kestrel.clock.now(),
            expires_at=kestrel.clock.now() + timedelta(days=1),
        )
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        ApiToken.objects.filter(pk=limited.token_id).update(products=["main"])
