"""The page of the delivery report."""

import re

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from promotions.actions.products import create_product
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text

PATH = "/reports/delivery"


def figures(client: Client, query: str = "") -> dict[str, str]:
    tiles = re.findall(r'<dt class="muted">(.*?)</dt>\s*<dd class="figure">(.*?)</dd>', text(client, PATH + query))
    return {name: re.sub("<[^>]+>", "", value) for name, value in tiles}


def test_figures_of_nothing_are_said_and_not_0(kestrel: Kestrel) -> None:
    assert set(figures(client_of(kestrel, "viewer")).values()) == {"Nothing counted"}


def test_page_shows_the_figures_of_an_environment_and_a_product(kestrel: Kestrel) -> None:
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger", display_name="The ledger")
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    kestrel.rejects("approver", kestrel.ask(kestrel.release(), kestrel.dev))
    client = client_of(kestrel, "viewer")
    assert figures(client, "?environment=dev&days=7") == {
        "Deployments": "1.0 a week",
        "Lead time": "3 minutes",
        "Wait for approval": "0 seconds",
        "Time to restore": "Nothing counted",
        "Rejected": "50 %",
        "Failed": "0 %",
        "Rolled back": "0 %",
    }
    assert set(figures(client, "?environment=dev&product=ledger").values()) == {"Nothing counted"}


def test_wrong_filter_is_said_beside_its_field(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "viewer")
    for query, field in (("days=8", "days"), ("environment=nowhere", "environment")):
        shown = text(client, f"{PATH}?{query}", 400)
        assert f'id="id_{field}_error"' in shown
        assert '<dd class="figure">' not in shown


def test_board_links_the_report_of_its_product_and_asks_nothing_more_for_it(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "viewer")
    with CaptureQueriesContext(connection) as captured:
        assert f'href="{PATH}?product=main"' in text(client, "/?product=main")
    assert not [each for each in captured.captured_queries if "percentile_cont" in each["sql"]]
