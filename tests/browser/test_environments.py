"""Environments and freezes in a real browser: greta administers, three environments, one freeze of each kind."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from environments.models import Environment
from tests.browser.conftest import NARROWEST, PHONE, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD, actor_of, make_environment, make_freeze, make_person, make_ready_tenant
from tests.promotions.deployments import deploy, release

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
FROM, UNTIL = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


@pytest.fixture
def line(server: str) -> list[Environment]:
    tenant = make_ready_tenant("kestrel-pay", name="Kestrel Pay")
    greta = actor_of(make_person(tenant, "greta", roles=["admin"], password=PASSWORD), tenant)
    tomas = actor_of(make_person(tenant, "tomas", roles=["operator"]), tenant)
    line = [
        make_environment(greta, name, index, required_approvals=index - 1, protected=False)
        for index, name in enumerate(("dev", "staging", "prod"), 1)
    ]
    deploy(tomas, release(tomas, "2026.47.1"), line[0])
    make_freeze(greta, line[1], FROM, UNTIL, name="Stock-taking", reason="Books are closed")
    make_freeze(greta, None, "2098-12-24T00:00:00Z", UNTIL, name="Christmas")
    return line


def addresses(line: list[Environment]) -> list[str]:
    staging = f"/environments/{line[1].pk}"
    lift = f"/freezes/{line[1].freeze_windows.get().pk}/lift"
    return ["/environments", staging, f"{staging}/edit", f"{staging}/freeze", "/environments/stop-the-line", lift]


def test_axe_finds_nothing(new_page: NewPage, line: list[Environment]) -> None:
    page = signed_in(new_page(), "greta", "/environments")
    for number, path in enumerate(addresses(line)):
        page.goto(path)
        assert axe_in_each_look(page, f"environments-{number}") == []


def test_pages_reflow_at_320_pixels(new_page: NewPage, line: list[Environment]) -> None:
    page = signed_in(new_page(viewport=NARROWEST), "greta", "/environments")
    for path in addresses(line):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320, path


def test_the_line_is_stopped_and_lifted_without_script(new_page: NewPage, line: list[Environment]) -> None:
    page = signed_in(new_page(java_script_enabled=False), "greta", "/environments")
    page.get_by_role("link", name="Stop the line").click()
    page.get_by_label("Reason").fill("Incident 4711")
    page.get_by_label("Lasts").select_option("4")
    page.get_by_role("button", name="Stop the line").click()
    expect(page.get_by_text("The line is stopped: nothing enters any environment")).to_be_visible()
    page.get_by_role("link", name="Lift Incident 4711").click()
    page.get_by_label("Why it ends before its time").fill("It is over")
    page.get_by_role("button", name="Lift").click()
    expect(page.get_by_text("The freeze “Incident 4711” is lifted.")).to_be_visible()
    expect(page.get_by_text("The line is stopped")).to_have_count(0)


def test_a_month_is_turned_without_loading_the_page_again(new_page: NewPage, line: list[Environment]) -> None:
    page = signed_in(new_page(), "greta", f"/environments/{line[1].pk}")
    page.evaluate("window.sameDocument = true")
    shown = page.locator("#month h3").text_content()
    page.get_by_role("link", name="Next month").click()
    expect(page.locator("#month h3")).not_to_have_text(shown or "")
    assert page.evaluate("window.sameDocument")
    expect(page.locator("#month")).to_have_count(1)


def test_on_a_phone_a_month_is_the_list_of_its_days_with_a_freeze(new_page: NewPage, line: list[Environment]) -> None:
    page = signed_in(new_page(viewport=PHONE), "greta", f"/environments/{line[2].pk}?month=2098-12")
    expect(page.locator("#month td:visible")).to_have_count(8)
    expect(page.locator("#month td:visible").first).to_contain_text("Christmas")
    page.get_by_role("link", name="Previous month").click()
    expect(page.get_by_text("No freeze in this month.")).to_be_visible()
    expect(page.locator("#month td:visible")).to_have_count(0)


def test_an_environment_is_moved_in_the_list(new_page: NewPage, line: list[Environment]) -> None:
    page = signed_in(new_page(), "greta", "/environments")
    page.get_by_role("button", name="Earlier prod").click()
    expect(page.get_by_text("Prod has another place in the order.")).to_be_visible()
    assert [row.name for row in Environment.objects.in_order()] == ["dev", "prod", "staging"]
