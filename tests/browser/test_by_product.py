"""The pages of all products as people see them for one."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from promotions.actions.products import create_product
from tests.browser.conftest import DESKTOP, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def kestrel(server: str) -> Kestrel:
    kestrel = make_kestrel(now=True)
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger", display_name="The ledger of all accounts")
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="l" * 63, display_name="Long name " * 20)
    kestrel.waits_for_production(name="main-1")
    kestrel.waits_for_production(name="ledger-1", product="ledger")
    return kestrel


def test_a_product_is_chosen_without_scripts(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(java_script_enabled=False), "approver")
    page.get_by_label("Product").select_option("ledger")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="ledger-1").first).to_be_visible()
    expect(page.get_by_role("link", name="main-1")).to_have_count(0)
    page.get_by_role("link", name="1 promotion waits for your decision.").click()
    expect(page.get_by_label("Product")).to_have_value("ledger")
    page.get_by_role("link", name="All open").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("link", name="All products").click()
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.get_by_role("link", name="All open")).to_have_attribute("aria-current", "page")


def test_the_lists_of_a_product_are_reached_from_its_page_without_scripts(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(java_script_enabled=False), "approver", "/products/ledger")
    page.get_by_role("link", name="Its releases").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_label("Product").select_option("main")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="main-1")).to_be_visible()
    page.goto("/products/ledger")
    page.get_by_role("link", name="Its promotions").click()
    expect(page.locator("[data-row]")).to_have_count(3)
    page.get_by_label("Product").select_option("")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("[data-row]")).to_have_count(6)


def test_axe_finds_nothing(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(), "requester")
    without_choice = ("/products/ledger", f"/?product={'x' * 64}")
    for path in (
        "/",
        "/?product=ledger",
        "/?product=vault",
        "/approvals?product=ledger",
        "/approvals?product=vault",
        "/promotions?product=ledger",
        "/releases?product=ledger",
        "/releases?product=vault",
        "/promotions/new?product=ledger",
        "/products/ledger",
        f"/promotions?product={'x' * 64}",
        f"/?product={'x' * 64}",
    ):
        page.goto(path)
        expect(page.locator("option", has_text="Long name")).to_have_count(0 if path in without_choice else 1)
        assert axe_in_each_look(page, path[:30], DESKTOP, PHONE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
