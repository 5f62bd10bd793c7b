"""The delivery report as people see it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, NARROWEST, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.browser


def test_report_is_reached_from_the_board_without_scripts(new_page: Callable[..., Page], server: str) -> None:
    kestrel = make_kestrel(now=True)
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    broken = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(broken, "started")
    kestrel.reports(broken, "failed", message="Out of memory")
    page = signed_in(new_page(java_script_enabled=False), "viewer")
    page.get_by_role("link", name="See the delivery report").click()
    page.get_by_label("Environment").select_option("dev")
    page.get_by_label("Period").select_option("90")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name="Failed 50 %")).to_be_visible()
    page = signed_in(new_page(), "viewer", "/reports/delivery?environment=dev")
    assert axe_in_each_look(page, "delivery", DESKTOP, {"width": 390, "height": 800}, NARROWEST) == []
