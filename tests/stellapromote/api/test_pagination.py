"""Properties of paging over real rows: every row once, in order, in both directions."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from stellapromote.accounts.models import Team, Tenant
from stellapromote.api.pagination import QuerySetSource, read_page
from stellapromote.errors import Invalid
from tests.examples import examples
from tests.stellapromote.api.conftest import Caller, make_tenant


def read(source: QuerySetSource, **query: Any) -> Any:
    return read_page(source, query=query, path="/x", tenant="t", filters={})


def walk(source: QuerySetSource, size: int) -> tuple[list[list[Any]], list[dict[str, Any]]]:
    pages, metas, cursor = [], [], ""
    while cursor is not None:
        page = read(source, cursor=cursor, page_size=size)
        pages.append(list(page.rows))
        metas.append(page.meta)
        cursor = page.meta["nextCursor"]
    return pages, metas


class EveryRowOnce(TestCase):
    """Names repeat, so that the tie-break decides; orders go both ways."""

    @given(
        names=st.lists(st.sampled_from("abc"), max_size=12),
        size=st.integers(1, 5),
        order=st.sampled_from([("-name", "-id"), ("name", "id"), ("-id",), ("id",)]),
        as_dicts=st.booleans(),
    )
    @settings(max_examples=examples(40), deadline=None)
    def test_forward_backward_and_by_number(
        self, names: list[str], size: int, order: tuple[str, ...], as_dicts: bool
    ) -> None:
        tenant = Tenant.objects.filter(slug="kestrel").first() or make_tenant("kestrel")
        Team.objects.all().delete()
        Team.objects.bulk_create(Team(tenant=tenant, slug=f"t{number}", name=name) for number, name in enumerate(names))
        rows = Team.objects.values("id", "name") if as_dicts else Team.objects.all()
        expected = list(rows.order_by(*order))
        source = QuerySetSource(rows, order)

        pages, metas = walk(source, size)
        assert [row for page in pages for row in page] == expected
        assert all(len(page) == size for page in pages[:-1])

        backwards, cursor = [pages[-1]], metas[-1]["previousCursor"]
        while cursor is not None:
            page = read(source, cursor=cursor, page_size=size)
            backwards.insert(0, list(page.rows))
            assert page.meta["nextCursor"] is not None
            cursor = page.meta["previousCursor"]
        assert [row for page in backwards for row in page] == expected

        numbered, number, more = [], 1, True
        while more:
            page = read(source, page=number, page_size=size)
            numbered += list(page.rows)
            more = page.meta["hasNext"]
            number += 1
        assert numbered == expected
        assert page.meta["totalCount"] == len(expected)
        assert page.meta["totalPages"] == -(-len(expected) // size)


@pytest.fixture
def seven(kestrel: Tenant) -> QuerySetSource:
    Team.objects.bulk_create(Team(tenant=kestrel, slug=f"t{number}", name=f"{number}") for number in range(7))
    return QuerySetSource(Team.objects.all(), ("-slug", "-id"))


def slugs(page: Any) -> list[str]:
    return [team.slug for team in page.rows]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {"rows": ["t6", "t5", "t4"], "hasNext": True, "hasPrevious": False}),
        (2, {"rows": ["t3", "t2", "t1"], "hasNext": True, "hasPrevious": True}),
        (3, {"rows": ["t0"], "hasNext": False, "hasPrevious": True}),
        (4, {"rows": [], "hasNext": False, "hasPrevious": True}),
        (2**31 - 1, {"rows": [], "hasNext": False, "hasPrevious": True}),
    ],
)
def test_pages_by_number(seven: QuerySetSource, number: int, expected: dict[str, Any]) -> None:
    page = read(seven, page=number, page_size=3)
    rows = expected.pop("rows")
    assert slugs(page) == rows
    assert page.meta == {"page": number, "pageSize": 3, "totalCount": 7, "totalPages": 3, **expected}


def test_an_empty_list_has_no_pages(db: None) -> None:
    page = read(QuerySetSource(Team.objects.all(), ("-id",)))
    assert page.meta == {
        "page": 1,
        "pageSize": 50,
        "totalCount": 0,
        "totalPages": 0,
        "hasNext": False,
        "hasPrevious": False,
    }
    assert read(QuerySetSource(Team.objects.all(), ("-id",)), cursor="").meta == {
        "pageSize": 50,
        "nextCursor": None,
        "previousCursor": None,
    }


def test_rows_that_come_later_do_not_move_a_cursor(seven: QuerySetSource, kestrel: Tenant) -> None:
    first = read(seven, cursor="", page_size=3)
    Team.objects.create(tenant=kestrel, slug="t9", name="newer")
    Team.objects.filter(slug="t4").delete()
    second = read(seven, cursor=first.meta["nextCursor"], page_size=3)
    assert slugs(second) == ["t3", "t2", "t1"]


def test_a_page_after_the_last_number_costs_only_the_count(
    seven: QuerySetSource, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        read(seven, page=100, page_size=3)


def test_a_known_count_is_not_counted(seven: QuerySetSource, django_assert_num_queries: Any) -> None:
    known = QuerySetSource(seven.queryset, seven.order, counted=lambda: 7)
    with django_assert_num_queries(1):
        assert read(known, page=2, page_size=3).meta["totalCount"] == 7


def test_a_cursor_page_is_one_query_that_the_index_serves(
    seven: QuerySetSource, django_assert_num_queries: Any
) -> None:
    cursor = read(seven, cursor="", page_size=3).meta["nextCursor"]
    with django_assert_num_queries(1) as queries:
        read(seven, cursor=cursor, page_size=3)
    sql = queries.captured_queries[0]["sql"]
    assert ") < (" in sql
    assert " OR " not in sql
    assert "LIMIT 4" in sql


def test_page_and_cursor_exclude_each_other(seven: QuerySetSource) -> None:
    with pytest.raises(Invalid) as refusal:
        read(seven, page=1, cursor="")
    assert refusal.value.fields[0].field == "page"


def test_a_list_answers_data_and_meta(admin: Caller, seven: QuerySetSource) -> None:
    body = admin.call("GET", "/api/v1/teams?pageSize=2").json()
    assert [row["slug"] for row in body["data"]] == ["t6", "t5"]
    assert body["meta"]["totalPages"] == 4
    body = admin.call("GET", "/api/v1/teams?cursor=&pageSize=2").json()
    assert body["meta"].keys() == {"pageSize", "nextCursor", "previousCursor"}
    following = admin.call("GET", f"/api/v1/teams?pageSize=3&cursor={body['meta']['nextCursor']}").json()
    assert [row["slug"] for row in following["data"]] == ["t4", "t3", "t2"]


@pytest.mark.parametrize("change", ["&slug=t1", "&kind=red"])
def test_a_cursor_with_other_filters_is_400(admin: Caller, seven: QuerySetSource, change: str) -> None:
    cursor = admin.call("GET", "/api/v1/teams?cursor=&pageSize=2").json()["meta"]["nextCursor"]
    response = admin.call("GET", f"/api/v1/teams?cursor={cursor}{change}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VAL_INVALID")


def test_a_cursor_of_another_tenant_is_400(admin: Caller, stranger: Caller, seven: QuerySetSource) -> None:
    cursor = admin.call("GET", "/api/v1/teams?cursor=&pageSize=2").json()["meta"]["nextCursor"]
    assert stranger.call("GET", f"/api/v1/teams?cursor={cursor}").status_code == 400


@pytest.mark.parametrize("cursor", ["x", "null", "AAAA", "a" * 700, "%00", "é", "eyJpZCI6MX0", "../../etc", "-1", "[]"])
def test_a_crafted_cursor_is_400(admin: Caller, cursor: str) -> None:
    response = admin.call("GET", f"/api/v1/teams?cursor={cursor}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VAL_INVALID")
    assert response.json()["error"]["validationErrors"][0]["field"] == "cursor"
