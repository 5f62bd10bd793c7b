"""Queries that are sent together give what each gives by itself."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Value
from django.test.utils import CaptureQueriesContext

from environments.models import Environment
from policies.models import ApprovalPolicy
from promotions.models import Promotion
from stellapromote.accounts.models import RoleGrant
from stellapromote.fastpath.together import fetch_together
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    kestrel = make_kestrel()
    kestrel.waits_for_production()
    return kestrel


def fields(row: object) -> object:
    if not hasattr(row, "_meta"):
        return row
    related = row._state.fields_cache  # type: ignore[attr-defined]
    own = {name: value for name, value in vars(row).items() if name != "_state"}
    return own, {name: fields(value) for name, value in related.items()}


def test_they_give_what_each_gives_by_itself(kestrel: Kestrel) -> None:
    entered = Promotion.objects.filter(target_environment=OuterRef("pk"))
    queries: list[Any] = [
        Environment.objects.select_related("promotion_policy__current").order_by("order_index"),
        Environment.objects.annotate(entered=Exists(entered), text=Value("100 %")).order_by("pk"),
        Promotion.objects.select_related("release", "source_environment").order_by("number"),
        RoleGrant.objects.values_list("role", "user_id", "granted_at").order_by("pk"),
        RoleGrant.objects.values("role").annotate(number=Count("pk")).order_by("role"),
        ApprovalPolicy.objects.values_list("name", flat=True).order_by("name"),
        Promotion.objects.filter(pk__in=[]),
        Promotion.objects.filter(reason__contains="%s'").order_by("pk")[:1],
    ]
    together = fetch_together(*queries, ("SELECT %s::int", [7]))
    assert together.pop() == [(7,)]
    for query, found in zip(queries, together, strict=True):
        assert [fields(row) for row in found] == [fields(row) for row in query]
    assert together[0]
    assert together[2]


def test_each_is_in_the_log_of_django(kestrel: Kestrel) -> None:
    with CaptureQueriesContext(connection) as statements:
        fetch_together(Environment.objects.filter(name="dev"), ("SELECT %s::int", [7]))
    assert [("environments_environment" in each["sql"], "7" in each["sql"]) for each in statements] == [
        (True, False),
        (False, True),
    ]
