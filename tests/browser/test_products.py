"""/products as people see it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from stellapromote.accounts.models import Product
from tests.browser.conftest import axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import make_approval_policy, make_environment
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


@pytest.fixture
def kestrel(server: str) -> Kestrel:
    return make_kestrel(now=True)


def test_a_product_is_made_and_archived_without_scripts(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(java_script_enabled=False), "admin", "/products")
    page.get_by_text("New product").click()
    page.get_by_label("Short name").fill("ledger")
    page.get_by_label("Display name").fill("The ledger")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="The ledger", level=1)).to_be_visible()
    page.get_by_label("Description").fill("Books")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("definition").filter(has_text="Books")).to_be_visible()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("Archived: it takes no new release")).to_be_visible()
    assert Product.objects.get(slug="ledger").archived_at is not None


def test_owner_teams_are_chosen_without_scripts_and_a_further_one_waits(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(java_script_enabled=False), "admin", "/products/main")
    page.get_by_role("checkbox", name="security").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("definition").filter(has_text="security")).to_be_visible()
    by, clock = kestrel["admin"], kestrel.clock
    make_approval_policy(by, "owned", clock=clock, rules=[{"name": "owners", "teams": ["@owners"]}])
    make_environment(by, "live", 4, clock=clock, approval_policies=["owned"], protected=True)
    page.get_by_role("checkbox", name="release").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Change product main", level=1)).to_be_visible()
    page.goto("/products/main")
    expect(page.get_by_text("team release may also approve as owner of product main")).to_be_visible()
    assert Product.objects.get(slug="main").owner_teams == ["security"]


def test_a_path_is_chosen_without_scripts_and_a_request_offers_it(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(java_script_enabled=False), "admin", "/products/main")
    for name in ("Dev", "Staging (on every path)"):
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Save").click()
    path = page.get_by_role("definition").filter(has_text="Dev").filter(has_text="Staging")
    expect(path).to_be_visible()
    expect(path).not_to_contain_text("Production")
    assert Product.objects.get(slug="main").path == ["dev", "staging"]
    page.get_by_role("checkbox", name="Staging (on every path)").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("staging must be on every path: add it.").first).to_be_visible()
    release = kestrel.release()
    asking = signed_in(new_page(java_script_enabled=False), "requester", f"/promotions/new?release={release.pk}")
    where = asking.get_by_role("region", name="2. Where")
    expect(where.get_by_role("link", name="Dev")).to_be_visible()
    expect(where).to_contain_text("must be deployed in Dev before it may enter Staging")
    expect(where).not_to_contain_text("Production")


def test_axe_finds_nothing(new_page: NewPage, kestrel: Kestrel) -> None:
    kestrel.waits_for_production()
    page = signed_in(new_page(), "admin")
    for path in ("/products", "/products/main"):
        page.goto(path)
        assert axe_in_each_look(page, path) == []
