"""Blind voting in a real browser: who has not voted sees how many have, and after their vote, who."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from promotions.models import Promotion
from stellapromote.accounts.models import User
from tests.browser.conftest import DESKTOP, NARROWEST, PHONE, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD
from tests.promotions.voting.blindness.blinded import SAID, blinded, half_way

pytestmark = pytest.mark.browser


@pytest.fixture
def waiting(server: str) -> Promotion:
    """Quillon has approved, of two who must; third may."""
    kestrel = blinded()
    user = User.objects.get(pk=kestrel["third"].user_id)
    user.set_password(PASSWORD)
    user.save()
    return half_way(kestrel)


def test_votes_are_shown_after_ones_own(new_page: Callable[..., Page], waiting: Promotion) -> None:
    page = signed_in(new_page(), "third", f"/promotions/{waiting.pk}")
    expect(page.get_by_text("Voting is blind: who has voted")).to_be_visible()
    expect(page.get_by_text(SAID)).to_have_count(0)

    def looks_well(name: str) -> None:
        assert axe_in_each_look(page, name, DESKTOP, PHONE, NARROWEST) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")  # of the narrowest
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]

    looks_well("blind")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Your approval is stored.").first).to_be_visible()
    expect(page.get_by_text("Voting is blind: who has voted")).to_have_count(0)
    expect(page.get_by_text(SAID).first).to_be_visible()
    looks_well("blind-voted")
