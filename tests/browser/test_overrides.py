"""A person overrides a gate, and a policy admin tries a draft, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from environments.actions.update_environment import update_environment
from policies.actions.save_draft import save_draft
from promotions.models import Promotion
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.browser.conftest import DESKTOP, NARROWEST, axe_in_each_look, axe_violations
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

SHUT: Any = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
    "override": {"by": ["third"]},
}


@pytest.fixture
def waiting(server: str) -> Promotion:
    """Into production, whose hours are over; third may override them, second reviews."""
    kestrel: Kestrel = make_kestrel(now=True)
    admin, clock = kestrel["admin"], kestrel.clock
    for name in ("third", "second", "admin"):
        user = User.objects.get(pk=kestrel[name].user_id)
        user.set_password(PASSWORD)
        user.save()
    third = kestrel["third"].account
    grant_scope(by=admin, clock=clock, user_id=third, scope=PROMOTION_OVERRIDE, reason="On call")
    make_promotion_policy(admin, "strict", clock=clock, gates=[SHUT])
    changes = {"promotion_policy": "strict"}
    update_environment(by=admin, clock=clock, environment_id=kestrel.production.pk, changes=changes)
    save_draft(by=admin, clock=clock, name="strict", changes={"gates": []})
    return kestrel.waits_for_production()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("viewport", [DESKTOP, NARROWEST])
def test_a_gate_is_overridden_and_reviewed(new_page: Callable[..., Page], waiting: Promotion, viewport: Any) -> None:
    page = signed_in(new_page(viewport=viewport), "third", f"/promotions/{waiting.pk}")
    page.get_by_text("Override hours for this promotion").click()
    assert axe_violations(page) == []
    assert fits(page)
    page.get_by_label("Why it cannot wait").fill("Payments are down")
    page.get_by_label("Ticket", exact=True).fill("INC-7")
    page.get_by_role("button", name="Override the gate").click()
    expect(page.get_by_text("Overridden by Third").first).to_be_visible()
    assert axe_violations(page) == []

    other = signed_in(new_page(viewport=viewport), "second", "/")
    expect(other.get_by_text("Another person must review it")).to_be_visible()
    other.goto(f"{other.url.rstrip('/')}/promotions/{waiting.pk}")
    other.get_by_label("Yes, it was justified").check()
    other.get_by_role("button", name="Store the review").click()
    expect(other.get_by_text("Found justified by")).to_be_visible()
    assert fits(other)


def test_a_draft_is_tried(new_page: Callable[..., Page], waiting: Promotion) -> None:
    page = signed_in(new_page(), "admin", "/policies/promotion/strict/simulate")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("The draft says")).to_be_visible()
    expect(page.get_by_text(f"#{waiting.number}")).to_be_visible()
    assert axe_in_each_look(page, "simulated", DESKTOP, NARROWEST) == []
    assert fits(page)  # of the narrowest
