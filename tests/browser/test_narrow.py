"""Pages where there is little room: what matters is on the screen, and in one piece (ui.md, Behaviour)."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from stellapromote.accounts.models import User
from tests.browser.conftest import NARROWEST, axe_violations
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
SMALL = {"width": 375, "height": 667}


@pytest.fixture
def kestrel(server: str) -> Kestrel:
    kestrel = make_kestrel(now=True)
    for user in User.objects.filter(pk__in=[actor.user_id for actor in kestrel.actors.values()]):
        user.set_password(PASSWORD)
        user.save()
    return kestrel


def box(found: Locator) -> dict[str, float]:
    place = found.bounding_box()
    assert place is not None
    return dict(place)


def test_on_a_phone_the_board_shows_the_state_of_what_waits(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production(name="2026.47.2-hotfix")
    page = signed_in(new_page(viewport=SMALL), "approver")
    badge = box(page.locator("#board [data-state=awaiting_approval]").first)
    assert badge["x"] + badge["width"] <= SMALL["width"]
    link = page.locator(f'#board td a[href="/promotions/{promotion.pk}"]').first
    assert box(link)["height"] <= 30
    assert box(page.locator("#board td time").first)["height"] <= 30


def test_on_a_phone_a_cell_reads_as_one_sentence(new_page: NewPage, kestrel: Kestrel) -> None:
    kestrel.waits_for_production()
    page = signed_in(new_page(viewport=SMALL), "approver", "/approvals")
    ago, who = page.locator("td time").first, page.locator("td .muted", has_text="by ").first
    assert box(who)["x"] <= box(ago)["x"] + box(ago)["width"] + 8


def test_on_a_phone_a_card_begins_with_what_it_is_about(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(viewport=SMALL), "admin", "/environments")
    assert box(page.locator("tbody th").first)["y"] < box(page.locator("tbody td").first)["y"]


def test_on_a_phone_both_buttons_are_in_reach_wherever_one_reads(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(viewport=SMALL), "approver", f"/promotions/{promotion.pk}")
    for place in (0, 400, 100_000):
        page.evaluate("y => window.scrollTo(0, y)", place)
        for name in ("Approve", "Reject …"):
            button = page.get_by_role("button", name=name, exact=True)
            expect(button).to_be_in_viewport(ratio=1)
            assert box(button)["height"] >= 44
    footer, bar = box(page.locator("footer").first), box(page.locator(".sticky-actions"))
    assert footer["y"] + footer["height"] <= bar["y"]
    assert axe_violations(page) == []


def test_whoever_may_not_decide_keeps_the_screen(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(viewport=SMALL), "requester", f"/promotions/{promotion.pk}")
    expect(page.locator(".sticky-actions")).to_have_count(0)
    assert page.get_by_text("so somebody else must decide on it").count() == 1


def test_times_of_a_policy_are_readable_beside_its_gates(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(), "admin", "/policies/promotion/default")
    panel, value = box(page.locator("section:has(> div > #times)")), box(page.locator("aside dd").first)
    assert value["width"] >= 80
    assert value["x"] + value["width"] <= panel["x"] + panel["width"]


def test_on_a_phone_what_changes_is_on_the_first_screen(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(viewport=SMALL), "approver", f"/promotions/{promotion.pk}")
    heading = box(page.get_by_role("heading", name="What changes"))
    assert heading["y"] + heading["height"] <= SMALL["height"] * 0.6


def test_the_api_docs_scroll_sideways_neither_as_a_page_nor_in_boxes_out_of_reach(new_page: NewPage) -> None:
    page = new_page(viewport=NARROWEST)
    page.goto("/api/docs", timeout=60_000)  # the first reader waits for the contract to be made
    assert page.evaluate("document.documentElement.scrollWidth") == NARROWEST["width"]
    boxes = "[...document.querySelectorAll('.api-table')].filter(box => box.scrollWidth > box.clientWidth).length"
    assert page.evaluate(boxes) == 0
