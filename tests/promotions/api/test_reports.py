"""GET /reports/delivery (contract.md, Reports)."""

import pytest

from tests.promotions.api.world import World


def test_report_says_what_it_counted_and_over_which_time(world: World) -> None:
    answer = world.vera.get("reports/delivery?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&product=main")
    environments = answer.pop("environments")
    assert [each["name"] for each in environments] == ["production"]
    nothing = {"count": 0, "p50": None, "p90": None}
    assert answer == {
        "since": "2026-01-01T00:00:00.000Z",
        "until": "2026-02-01T00:00:00.000Z",
        "product": "main",
        "deployments": {"count": 0, "perDay": None},
        "leadTime": nothing,
        "approvalWait": nothing,
        "outcomes": {"count": 0, "rejectedShare": None, "failedShare": None, "rolledBackShare": None},
        "timeToRestore": {**nothing, "open": 0},
    }


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("from=yesterday", "from"),
        ("from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("from=2999-01-01T00:00:00Z", "from"),
        ("environment=", "environment"),
        ("days=7", "days"),
    ],
)
def test_wrong_period_or_filter_is_refused_with_its_place(world: World, query: str, place: str) -> None:
    answer = world.vera.call("GET", f"reports/delivery?{query}")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert [each["field"] for each in error["validationErrors"]] == [place]


def test_unknown_environment_or_product_leaves_nothing_to_count(world: World) -> None:
    assert world.vera.get("reports/delivery?environment=nowhere")["environments"] == []
    assert world.vera.get("reports/delivery?product=nothing")["deployments"] == {"count": 0, "perDay": None}
