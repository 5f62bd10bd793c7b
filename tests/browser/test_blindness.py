"""Blind voting in a real browser: who has not voted sees how many have, and after their vote, who."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from promotions.models import Promotion
from stellapromote.accounts.models import User
from tests.browser.conftest import DESKTOP, NARROWEST, PHONE, axe_violations
from tests.browser.test_journey import signed_in
from tests.factories import PASSWORD
from tests.promotions.blindness.blinded import SAID, blinded, half_way

pytestmark = pytest.mark.browser


@pytest.fixture
def waiting(server: str) -> Promotion:
    """Quillon has approved, of two who must; third may."""
    kestrel = blinded()
    user = User.objects.get(pk=kestrel["third"].user_id)
    user.set_password(PASSWORD)
    user.save()
    return half_way(kestrel)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, NARROWEST], ids=["desktop", "phone", "narrowest"])
def test_votes_are_shown_after_ones_own(
    new_page: Callable[..., Page], waiting: Promotion, viewport: Any, theme: Any
) -> None:
    page = signed_in(new_page(viewport=viewport, colour_scheme=theme), "third", f"/promotions/{waiting.pk}")
    expect(page.get_by_text("Voting is blind: who has voted")).to_be_visible()
    expect(page.get_by_text(SAID)).to_have_count(0)

    def looks_well(name: str) -> None:
        if shots := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(shots) / f"{name}-{theme}-{viewport['width']}.png", full_page=True)
        assert axe_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    looks_well("blind")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Your approval is stored.").first).to_be_visible()
    expect(page.get_by_text("Voting is blind: who has voted")).to_have_count(0)
    expect(page.get_by_text(SAID).first).to_be_visible()
    looks_well("blind-voted")
