"""Where the demo may be told; what it tells: tests/promotions/demo."""

from typing import Any

import pytest
from django.core.management.base import CommandError

from promotions.demo.cast import SLUG
from stellapromote.accounts.models import Tenant
from tests.factories import make_ready_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db


def test_elsewhere_it_must_be_meant(settings: Any) -> None:
    settings.EMBEDDED_POSTGRES, settings.DEMO = None, None
    with pytest.raises(CommandError, match="Set DEMO=1 if you mean it"):
        run("seed_demo")
    settings.DEMO = True
    make_ready_tenant("osprey")
    with pytest.raises(CommandError, match="not mixed with theirs"):
        run("seed_demo")
    assert not Tenant.objects.filter(slug=SLUG).exists()
