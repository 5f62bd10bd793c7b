"""What the Django admin shows to who is blind to votes."""

import pytest
from django.contrib.admin import site
from django.test import RequestFactory

from promotions.admin import OutboxEventAdmin
from promotions.models import OutboxEvent, Promotion
from stellapromote.accounts.actor import Actor
from tests.factories import actor_of, make_person
from tests.promotions.kestrel import Kestrel
from tests.promotions.voting.blindness.blinded import half_way

pytestmark = pytest.mark.django_db

TOLD_IN_ADMIN = ("vote", "confirmation", "decisionrecord", "outboxevent")


@pytest.mark.parametrize("model", TOLD_IN_ADMIN)
def test_the_django_admin_leaves_out_what_tells_of_hidden_votes(kestrel: Kestrel, model: str) -> None:
    """Being an administrator gives no sight of votes; being an auditor as well does."""
    rows = next(each for kind, each in site._registry.items() if kind._meta.label_lower == f"promotions.{model}")

    def of(promotion: Promotion, by: Actor) -> int:
        request = RequestFactory().get("/admin/")
        request.actor = by  # type: ignore[attr-defined]
        return int(rows.get_queryset(request).filter(promotion_id=promotion.pk).count())

    promotion = half_way(kestrel)
    admin, both = kestrel["admin"], make_person(kestrel.tenant, "both", roles=["admin", "auditor"], clock=kestrel.clock)
    assert of(promotion, admin) == 0
    assert of(promotion, actor_of(both, kestrel.tenant)) > 0
    kestrel.rejects("second", promotion)
    assert of(promotion, admin) > 0


def test_the_django_admin_keeps_events_that_are_about_no_promotion(kestrel: Kestrel) -> None:
    half_way(kestrel)
    OutboxEvent.objects.create(
        tenant=kestrel.tenant, name="environment.updated", payload={}, created_at=kestrel.clock.now()
    )
    request = RequestFactory().get("/admin/")
    request.actor = kestrel["admin"]  # type: ignore[attr-defined]
    found = OutboxEventAdmin(OutboxEvent, site).get_queryset(request)
    assert found.filter(promotion=None).exists()
