"""Lists of promotions stay on their indexes; what they show: tests/promotions/api/test_promotion_lists.py."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.models import Promotion
from promotions.pages.board import Week, thirty_days
from promotions.reading.listing import PromotionRows, WaitingForPerson
from promotions.reading.promotion_columns import NUMBER, row
from promotions.reading.queries import promotions_of
from stellapromote.api.cursors import Position
from stellapromote.api.rendering import dumps
from stellapromote.clock import rfc3339
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world

ROWS = 20_000


@pytest.fixture(scope="module")
def crowd(committed_database: CommittedDatabase, django_db_blocker: Any) -> Iterator[World]:
    with django_db_blocker.unblock():
        try:
            yield make_crowd(committed_database)
        finally:
            committed_database.reset()


@pytest.fixture
def crowded(crowd: World, django_db_blocker: Any) -> Iterator[World]:
    """The crowd, made once for this module: its tests only read."""
    with django_db_blocker.unblock():
        yield crowd


def make_crowd(database: CommittedDatabase) -> World:
    """Twenty thousand promotions, one a second, hardly any of them open; copied by hand, for the actions take hours."""
    world = make_world()
    first = world.waiting()
    with database.as_superuser() as superuser:
        superuser.execute("SET session_replication_role = replica")
        columns = [column.column for column in Promotion._meta.local_concrete_fields if column.column]
        changed = {
            "id": "gen_random_uuid()",
            "number": f"{first.number} + n",
            "product": "CASE WHEN n % 1000 = 5 THEN 'rare' ELSE p.product END",
            "requested_at": "p.requested_at + n * interval '1 second'",
            "status": "(ARRAY['deployed', 'rejected', 'cancelled'])[1 + n % 3]",
            "approved_at": "now()",
            "completed_at": "now()",
            "evidence_packet_id": "gen_random_uuid()",
            "open_voters": "'{}'",
            "change": """CASE WHEN n % 5000 = 7 THEN '{"ref": "INC-7", "type": "emergency"}'::jsonb
                WHEN n % 2 = 0 THEN jsonb_build_object('ref', 'CHG-' || n, 'type', 'standard') END""",
        }
        picked = ", ".join(changed.get(column, f"p.{column}") for column in columns)
        superuser.execute(
            f"INSERT INTO promotions_promotion ({', '.join(columns)}) SELECT {picked}"
            f" FROM promotions_promotion p, generate_series(1, {ROWS}) n WHERE p.number = {first.number}"
        )
        superuser.execute("UPDATE promotions_promotioncounter SET last_number = last_number + %s", [ROWS])
        superuser.execute("CHECKPOINT")  # rows of a commit that is not written yet are not marked as visible to all
        superuser.execute("VACUUM ANALYZE promotions_promotion")
    return world


def plans(read: Callable[[], Any]) -> str:
    with CaptureQueriesContext(connection) as statements:
        read()
    found = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute("EXPLAIN " + statement["sql"])
            found += [line for (line,) in cursor.fetchall()]
    return "\n".join(found)


def kept_plan(read: Callable[[], Any]) -> str:
    """The plan that PostgreSQL keeps for the statement, for any values."""
    with connection.cursor() as cursor:
        for _ in range(2):  # the first call may be the only one, and prepares nothing
            read()
        cursor.execute(
            "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements ORDER BY prepare_time DESC LIMIT 1"
        )
        [(name, values)] = cursor.fetchall()
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        try:
            cursor.execute(f'EXPLAIN EXECUTE "{name}" ({", ".join(["NULL"] * values)})')
            return "\n".join(line for (line,) in cursor.fetchall())
        finally:
            cursor.execute("RESET plan_cache_mode")


def test_no_page_reads_the_whole_table(crowded: World) -> None:
    tenant = crowded.tenant.pk
    promotion = Promotion.objects.order_by("number").last()
    assert promotion is not None
    middle = Position((ROWS // 2,))
    at = promotion.requested_at - timedelta(hours=1)
    for source in (
        PromotionRows(tenant),
        PromotionRows(tenant, statuses=("awaiting_approval",)),
        PromotionRows(tenant, statuses=("deployed", "pending")),
        PromotionRows(tenant, since=at, until=at + timedelta(minutes=5)),
        PromotionRows(tenant, requested_by=uuid4()),
        PromotionRows(tenant, change_ref="CHG-20"),
        PromotionRows(tenant, product="rare"),
        PromotionRows(tenant, product="nothing", statuses=("rejected",)),
        PromotionRows(tenant, change_type="emergency"),
        PromotionRows(tenant, change_type="standard", statuses=("rejected",)),
        WaitingForPerson(tenant, crowded.nia.user.pk),
    ):
        read = plans(lambda source=source: (source.after(None, 51), source.after(middle, 51)))  # type: ignore[misc]
        assert "Seq Scan on promotions_promotion p" not in read, read


def test_a_late_page_is_a_range_of_numbers_and_no_offset(crowded: World) -> None:
    source = PromotionRows(crowded.tenant.pk)
    assert source.count() == ROWS + 3
    with CaptureQueriesContext(connection) as statements:
        rows = source.numbered(15_000, 50)
    assert [found[1] for found in rows] == list(range(ROWS + 3 - 15_000, ROWS + 3 - 15_050, -1))
    assert "OFFSET 0" in statements[0]["sql"]


def test_a_span_of_time_is_found_by_halving(crowded: World) -> None:
    first = Promotion.objects.get(number=3)
    at = first.requested_at + timedelta(seconds=7_000)
    source = PromotionRows(crowded.tenant.pk, since=at, until=at + timedelta(seconds=100))
    assert (source.count(), source.after(None, 1)[0][1]) == (100, 3 + 7_099)
    with CaptureQueriesContext(connection) as statements:
        PromotionRows(crowded.tenant.pk, since=at).count()
    assert len(statements) == 2


def test_a_row_says_what_is_stored(crowded: World) -> None:
    found = PromotionRows(crowded.tenant.pk).after(None, 50)
    stored = promotions_of(crowded.tenant.pk)[:50]
    assert [json.loads(dumps(row(each))) for each in found] == [
        {
            "id": str(promotion.pk),
            "number": promotion.number,
            "releaseId": str(promotion.release_id),
            "releaseName": promotion.release.name,
            "product": promotion.product,
            "targetEnvironmentId": str(promotion.target_environment_id),
            "targetEnvironmentName": promotion.target_environment.name,
            "status": promotion.status,
            "requestedBy": str(promotion.requested_by_id),
            "requestedByName": promotion.requested_by_name,
            "requestedAt": rfc3339(promotion.requested_at),
            "approvals": {"required": promotion.approvals_required, "given": promotion.approvals_given},
            "approvalCount": {"required": promotion.approvals_required, "given": promotion.approvals_given},
            "blockedBy": promotion.blocked_by,
        }
        for promotion in stored
    ]


@pytest.mark.parametrize(
    ("filters", "index", "found"),
    [
        ({"change_ref": "INC-7"}, "promotion_by_change_ref", 4),
        ({"change_ref": "INC-7", "statuses": ("deployed",)}, "promotion_by_change_ref", 1),
        ({"change_ref": "CHG-20", "change_type": "standard"}, "promotion_by_change_ref", 1),
        ({"change_type": "emergency"}, "promotion_change_emergency", 4),
        ({"change_type": "emergency", "statuses": ("deployed",)}, "promotion_change_emergency", 1),
        ({"change_type": "standard"}, "promotion_change_standard", ROWS // 2),
        ({"change_type": "normal"}, "promotion_change_normal", 0),
    ],
)
def test_promotions_are_found_by_their_change_without_looking_at_the_others(
    crowded: World, filters: dict[str, Any], index: str, found: int
) -> None:
    source = PromotionRows(crowded.tenant.pk, **filters)
    assert source.count() == found
    assert len(source.after(None, 51)) == min(found, 51)
    for read in (source.count, lambda: source.after(None, 51), lambda: source.numbered(0, 50)):
        plan = plans(read)
        assert index in plan, plan


@pytest.mark.parametrize(
    "filters",
    [
        {"product": "rare"},
        {"product": "main"},
        {"product": "main", "statuses": ("rejected", "cancelled")},
        {"product": "rare", "statuses": ("deployed",)},
        {"product": "rare", "environment": "production"},
        {"product": "rare", "requester": "tomas"},
        {"product": "nothing"},
    ],
)
def test_promotions_of_a_product_are_found_without_reading_those_left_out(
    crowded: World, filters: dict[str, Any]
) -> None:
    wanted, stored = dict(filters), Promotion.objects.filter(product=filters["product"])
    if "statuses" in filters:
        stored = stored.filter(status__in=filters["statuses"])
    if "environment" in filters:
        wanted["environment_id"] = crowded.environments[wanted.pop("environment")].pk
    if "requester" in filters:
        wanted["requested_by"] = crowded.people[wanted.pop("requester")].user.pk
    source = PromotionRows(crowded.tenant.pk, **wanted)
    numbers = list(stored.order_by("-number").values_list("number", flat=True))
    assert source.count() == len(numbers)
    assert [each[NUMBER] for each in source.after(None, 51)] == numbers[:51]
    assert [each[NUMBER] for each in source.numbered(3, 5)] == numbers[3:8]
    before = Position((numbers[-1] if numbers else 1,), backwards=True)
    assert [each[NUMBER] for each in source.after(before, 5)] == numbers[-6:-1][::-1]
    for read in (source.count, lambda: source.after(None, 51), lambda: source.after(Position((ROWS // 2,)), 51)):
        plan = plans(read)
        assert "Index Only Scan using promotion_by_product" in plan, plan


def test_open_promotions_of_a_product_are_found_among_the_open_ones(crowded: World) -> None:
    source = PromotionRows(crowded.tenant.pk, product="main", statuses=("awaiting_approval", "approved"))
    [found] = source.after(None, 51)
    assert found[NUMBER] == 3
    plan = kept_plan(lambda: source.after(None, 51))
    assert "promotion_open" in plan or "promotion_due" in plan, plan  # both hold the open ones alone


def test_promotions_of_a_type_are_counted_without_being_read(crowded: World) -> None:
    plan = plans(PromotionRows(crowded.tenant.pk, change_type="standard").count)
    assert "Index Only Scan using promotion_change_standard" in plan, plan


def test_the_numbers_of_the_board_are_counted_without_reading_a_row(crowded: World) -> None:
    last = Promotion.objects.order_by("number").last()
    assert last is not None
    weeks: list[Week] = []
    plan = plans(lambda: weeks.extend(thirty_days(crowded.tenant.pk, last.requested_at)))
    assert "Index Only Scan using promotion_numbers" in plan, plan
    assert sum(week.deployed for week in weeks) == Promotion.objects.filter(status="deployed").count()


def test_the_numbers_of_a_product_are_counted_without_reading_a_row(crowded: World) -> None:
    last = Promotion.objects.order_by("number").last()
    assert last is not None
    weeks: list[Week] = []
    plan = plans(lambda: weeks.extend(thirty_days(crowded.tenant.pk, last.requested_at, "rare")))
    assert "Index Only Scan using promotion_by_product" in plan, plan
    assert sum(week.deployed for week in weeks) == 7
