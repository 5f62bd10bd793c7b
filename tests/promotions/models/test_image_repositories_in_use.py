"""The migration that gives products the repositories of the releases that there are."""

from importlib import import_module

import pytest
from django.db import connection

from promotions.actions.releases import ComponentSpec
from stellapromote.accounts.models import ImageRepository
from tests.promotions.kestrel import Kestrel, make_kestrel

migration = import_module("promotions.migrations.0045_image_repositories_in_use")

BOUND = {"ghcr.io/acme/pay": "main", "ghcr.io/acme/ledger": "ledger", "ghcr.io/acme/base": None}


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def released(kestrel: Kestrel, product: str, *repositories: str, finalize: bool = True) -> None:
    """As a process of an earlier version: nothing is bound yet."""
    kestrel.wait()
    images = [ComponentSpec(f"c{number}", name, f"sha256:{number:064x}") for number, name in enumerate(repositories)]
    kestrel.release(product=product, components=images, finalize=finalize)
    ImageRepository.objects.all().delete()


def test_a_repository_of_one_product_is_bound_and_one_of_several_is_undecided(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    released(kestrel, "main", "ghcr.io/acme/pay", "ghcr.io/acme/base")
    released(kestrel, "main", "GHCR.io/acme/pay:v2")
    released(kestrel, "ledger", "ghcr.io/acme/ledger", "ghcr.io:443/acme/base")
    released(kestrel, "ledger", "ghcr.io/acme/pay", "ghcr.io/acme/draft", finalize=False)
    released(other, "billing", "ghcr.io/acme/pay")
    for _ in range(2):
        migration._bind(None, connection.schema_editor())
    rows = ImageRepository.objects.values_list("tenant", "name", "product__slug", "is_shared")
    assert set(rows) == {
        *((kestrel.tenant.pk, name, product, False) for name, product in BOUND.items()),
        (other.tenant.pk, "ghcr.io/acme/pay", "billing", False),
    }
