"""Rows read and written with our own SQL are those that the ORM reads and writes."""

from typing import Any

import pytest
from django.db import DataError, transaction
from django.db.models import Model

from promotions.fastpath import rows
from promotions.models import Promotion
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.django_db


def fields_of(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def typed(values: dict[str, Any]) -> dict[str, tuple[type, Any]]:
    return {name: (type(value), value) for name, value in values.items()}


def by_orm() -> list[Promotion]:
    related = ("release", "target_environment", "source_environment")
    return list(Promotion.objects.select_related(*related).order_by("pk"))


@pytest.fixture(autouse=True)
def story() -> None:
    """A deployed, a superseding and a waiting promotion, one with a source and one without, one vote."""
    kestrel = make_kestrel()
    release = kestrel.release()
    first = kestrel.ask(release, kestrel.dev)
    kestrel.reports(first, "started")
    kestrel.reports(first, "succeeded")
    kestrel.approves("approver", kestrel.ask(release, kestrel.staging))
    kestrel.ask(kestrel.release(), kestrel.dev)


def test_a_promotion_is_read_as_the_orm_reads_it() -> None:
    expected = by_orm()
    found = rows.promotions([each.pk for each in expected])
    assert len(found) == len(expected) > 0
    for mine, theirs in zip(found, expected, strict=True):
        assert typed(fields_of(mine)) == typed(fields_of(theirs))
        assert mine == theirs
        assert (mine._state.adding, mine._state.db) == (False, "default")


def test_what_is_decided_on_comes_with_it(django_assert_num_queries: Any) -> None:
    expected = by_orm()
    with django_assert_num_queries(1):
        found = rows.promotions([each.pk for each in expected])
        for mine, theirs in zip(found, expected, strict=True):
            assert typed(fields_of(mine.target_environment)) == typed(fields_of(theirs.target_environment))
            for name in ("name", "status", "product", "manifest_digest"):
                assert getattr(mine.release, name) == getattr(theirs.release, name)
            source = theirs.source_environment
            assert (mine.source_environment is None) == (source is None)
            assert source is None or getattr(mine.source_environment, "name", None) == source.name


def test_what_does_not_come_with_it_is_read_when_it_is_asked_for() -> None:
    expected = by_orm()
    for mine, theirs in zip(rows.promotions([each.pk for each in expected]), expected, strict=True):
        for name in ("release", "source_environment"):
            one, other = getattr(mine, name), getattr(theirs, name)
            assert one is other is None or typed(fields_of(one)) == typed(fields_of(other))


def test_what_is_stored_is_what_the_orm_reads_back() -> None:
    promotion = rows.promotions([by_orm()[0].pk])[0]
    promotion.gates = [{"name": "approval", "type": "approval", "status": "pending", "message": '„ünïcode“ \\ " %s'}]
    promotion.blocked_by = []
    promotion.status_detail = "100 % 'quoted'"
    rows.store(promotion)
    assert typed(fields_of(Promotion.objects.get(pk=promotion.pk))) == typed(fields_of(promotion))


@pytest.mark.parametrize(("name", "value"), [("status_reason", "X" * 64), ("blocked_by", ["x" * 64])])
def test_what_is_too_long_for_its_column_is_refused_and_never_cut(name: str, value: Any) -> None:
    promotion = rows.promotions([by_orm()[0].pk])[0]
    setattr(promotion, name, value)
    with pytest.raises(DataError, match="too long"), transaction.atomic():
        rows.store(promotion)
