from typing import Any

import pytest
from django.core.management.base import CommandError

from promotions.demo.cast import SLUG
from promotions.models import Promotion
from promotions.queries import awaiting_decision_by
from stellapromote.accounts.models import ApiToken, Tenant, User
from tests.factories import actor_of, make_ready_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db


def waits_for_nia() -> int:
    tenant = Tenant.objects.get(slug=SLUG)
    return awaiting_decision_by(actor_of(User.objects.get(username="nia"), tenant)).count()


def test_the_story_is_told_once_and_something_waits_for_nia_each_time() -> None:
    first, _ = run("seed_demo")
    told = Promotion.objects.count()
    assert Tenant.objects.get(slug=SLUG).is_demo
    assert waits_for_nia()
    assert "nia" in first
    run("seed_demo")
    assert Promotion.objects.count() == told
    assert waits_for_nia()
    assert ApiToken.objects.filter(name="demo curl", revoked_at=None).count() == 1


def test_a_tenant_of_that_name_that_is_no_demo_is_left_alone() -> None:
    make_ready_tenant(SLUG)
    with pytest.raises(CommandError, match="is not a demo"):
        run("seed_demo")


def test_elsewhere_it_must_be_meant(settings: Any) -> None:
    settings.EMBEDDED_POSTGRES, settings.DEMO = None, None
    with pytest.raises(CommandError, match="Set DEMO=1 if you mean it"):
        run("seed_demo")
    settings.DEMO = True
    make_ready_tenant("osprey")
    with pytest.raises(CommandError, match="not mixed with theirs"):
        run("seed_demo")
    assert not Tenant.objects.filter(slug=SLUG).exists()
