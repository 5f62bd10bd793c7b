"""A release that was taken out of use may still be gone back to, and nowhere else."""

import orjson
import pytest

from promotions.actions.releases import deprecate_release
from promotions.models import Promotion, Release
from promotions.reading.queries import current_record
from stellapromote.errors import ProductError
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


@pytest.fixture
def old(kestrel: Kestrel) -> Release:
    """It ran in staging before the one that runs there now, and is deprecated."""
    old = kestrel.reaches_staging()
    kestrel.reaches_staging()
    deprecate_release(old.pk, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    return old


def preconditions(promotion: Promotion) -> tuple[str, list[str]]:
    gates = orjson.loads(bytes(current_record(promotion).document))["gates"]
    [gate] = [each for each in gates if each["type"] == "preconditions"]
    return gate["status"], gate["reasonCodes"]


def test_a_deprecated_release_is_gone_back_to_with_a_warning(kestrel: Kestrel, old: Release) -> None:
    promotion = kestrel.ask(old, kestrel.staging)
    assert (promotion.is_rollback, promotion.status) == (True, "awaiting_approval")
    assert preconditions(promotion) == ("warn", ["RELEASE_DEPRECATED"])
    assert kestrel.deploys(kestrel.approves("approver", promotion)).status == "deployed"


def test_it_goes_nowhere_else(kestrel: Kestrel, old: Release) -> None:
    with pytest.raises(ProductError) as refused:
        kestrel.ask(old, kestrel.production)
    assert refused.value.code == "PROM_RELEASE_DEPRECATED"
    assert not Promotion.objects.filter(target_environment=kestrel.production).exists()
