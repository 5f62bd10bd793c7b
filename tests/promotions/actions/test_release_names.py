"""Release names are unique within a product (domain.md §1b, docs/adr/0227)."""

import pytest
from django.db import IntegrityError, transaction

from promotions.actions.releases import NameTaken, ReleaseSpec, create_release, update_release
from promotions.models import ProcessHeartbeat, Release
from promotions.models.worker import SILENT
from promotions.worker.heartbeats import beat
from tests.promotions.kestrel import Kestrel, make_kestrel


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def products_with(name: str) -> set[str]:
    return set(Release.objects.filter(name=name).values_list("product", flat=True))


def test_two_products_have_releases_of_one_name(kestrel: Kestrel) -> None:
    kestrel.release(name="1.0")
    kestrel.release(name="1.0", product="ledger")
    assert products_with("1.0") == {"main", "ledger"}


def test_one_product_has_one_release_of_a_name(kestrel: Kestrel) -> None:
    made = kestrel.release(name="1.0", product="ledger")
    with pytest.raises(NameTaken, match=r"There is a release named 1\.0 already, of product ledger") as refused:
        kestrel.release(name="1.0", product="ledger")
    assert refused.value.details == {"name": "1.0", "product": "ledger"}
    with pytest.raises(IntegrityError, match="release_name_unique_per_product"), transaction.atomic():
        Release.objects.filter(pk=kestrel.release(name="2.0", product="ledger", finalize=False).pk).update(
            name=made.name
        )


def test_a_draft_takes_no_name_and_no_product_that_another_has(kestrel: Kestrel) -> None:
    kestrel.release(name="1.0", product="ledger")
    draft = kestrel.release(name="1.0", finalize=False)
    by, clock = kestrel["builder"], kestrel.clock
    with pytest.raises(NameTaken):
        update_release(draft.pk, {"product": "ledger"}, by=by, clock=clock)
    update_release(draft.pk, {"name": "1.1", "product": "ledger"}, by=by, clock=clock)
    with pytest.raises(NameTaken):
        update_release(draft.pk, {"name": "1.0"}, by=by, clock=clock)
    update_release(draft.pk, {"name": "1.1", "display_name": "Again"}, by=by, clock=clock)
    assert products_with("1.1") == {"ledger"}


def test_no_name_is_used_twice_while_a_process_of_an_earlier_version_lives(kestrel: Kestrel) -> None:
    """It takes the release of either product for that of the other."""
    kestrel.release(name="1.0")
    draft = kestrel.release(name="1.1", product="ledger", finalize=False)
    by, clock = kestrel["builder"], kestrel.clock
    old = ProcessHeartbeat.objects.create(name="old", role=ProcessHeartbeat.Role.WEB, at=clock.now())
    beat("new", ProcessHeartbeat.Role.WEB, clock.now())
    with pytest.raises(NameTaken, match="of product main"):
        create_release(ReleaseSpec("1.0", product="ledger"), by=by, clock=clock)
    with pytest.raises(NameTaken, match="of product main"):
        update_release(draft.pk, {"name": "1.0"}, by=by, clock=clock)
    assert products_with("1.0") == {"main"}
    ProcessHeartbeat.objects.filter(pk=old.pk).update(at=clock.now() - SILENT)
    create_release(ReleaseSpec("1.0", product="ledger"), by=by, clock=clock)
    assert products_with("1.0") == {"main", "ledger"}


def test_another_tenant_has_its_own_names(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    kestrel.release(name="1.0")
    assert other.release(name="1.0").product == "main"
