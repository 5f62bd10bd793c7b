"""Request → approve in a real browser: what a team does every day, as four people, with and without JavaScript."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from promotions.models import EvidencePacket, Promotion
from stellapromote.accounts.models import User
from tests.browser.conftest import PHONE, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


@pytest.fixture
def kestrel(server: str) -> Kestrel:
    kestrel = make_kestrel(now=True)
    for user in User.objects.filter(pk__in=[actor.user_id for actor in kestrel.actors.values()]):
        user.set_password(PASSWORD)
        user.save()
    return kestrel


@pytest.mark.parametrize("java_script", [True, False])
def test_request_to_approve(new_page: NewPage, kestrel: Kestrel, java_script: bool) -> None:
    release = kestrel.reaches_staging()

    requester = signed_in(new_page(java_script_enabled=java_script), "requester", "/promotions/new")
    requester.get_by_role("link", name=release.name).click()
    requester.get_by_role("link", name="Production").click()
    requester.get_by_label("Why should it go there now?").fill("Customers wait for it.")
    requester.get_by_role("button", name="Request", exact=True).click()
    expect(requester.get_by_role("heading", level=1)).to_contain_text(release.name)
    # The requester is refused with the reason, in the page.
    expect(
        requester.get_by_text("You requested this promotion, so somebody else must decide on it.").first
    ).to_be_visible()
    path = requester.url.split("?")[0]
    promotion = Promotion.objects.get(pk=UUID(path.rsplit("/", 1)[1]))

    for username, said in (("second", "1 of 2"), ("approver", "2 of 2")):
        page = signed_in(new_page(java_script_enabled=java_script), username, "/approvals")
        page.get_by_role("link", name=release.name).click()
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text(said).first).to_be_visible()
    expect(page.get_by_text("Nothing else waits for you.").first).to_be_visible()
    expect(page.get_by_text("Signed decision")).to_be_visible()

    promotion.refresh_from_db()
    assert promotion.status == "approved"
    assert EvidencePacket.objects.filter(promotion=promotion).count() == 1

    auditor = signed_in(new_page(java_script_enabled=java_script), "auditor", f"/promotions/{promotion.pk}")
    auditor.get_by_role("button", name="Replay the decision").click()
    expect(auditor.get_by_text("Equal: the stored input judged again")).to_be_visible()
    auditor.get_by_role("button", name="Verify the evidence").click()
    expect(auditor.get_by_text("Valid: every check passes.")).to_be_visible()
    auditor.goto("/audit")
    auditor.get_by_role("button", name="Verify the chain").click()
    expect(auditor.get_by_text("The chain holds")).to_be_visible()


@pytest.mark.parametrize("java_script", [True, False])
def test_after_a_vote_the_next_one_is_one_key_away(new_page: NewPage, kestrel: Kestrel, java_script: bool) -> None:
    first, second = kestrel.waits_for_production(), kestrel.waits_for_production()
    page = signed_in(new_page(java_script_enabled=java_script), "second", f"/promotions/{first.pk}")
    page.get_by_role("button", name="Approve", exact=True).click()
    message = page.locator("#messages > div")
    expect(message).to_contain_text("Your approval is stored.")
    expect(message).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=f"Next: #{second.number}")).to_be_focused()


def test_how_many_wait_is_in_the_title_and_on_the_bar_of_a_phone(new_page: NewPage, kestrel: Kestrel) -> None:
    kestrel.waits_for_production()
    page = signed_in(new_page(viewport=PHONE), "second", "/releases")
    button = page.locator(".nav-toggle")
    expect(page).to_have_title(re.compile(r"^\(1\) Releases"))
    expect(button).to_have_accessible_name("Menu 1 waiting for you")
    expect(button.locator(".count")).to_be_visible()
    nobody = signed_in(new_page(viewport=PHONE), "requester", "/releases")
    expect(nobody).to_have_title(re.compile("^Releases"))
    expect(nobody.locator(".nav-toggle")).to_have_accessible_name("Menu")


def test_the_number_that_waits_follows_the_polls(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(viewport=PHONE), "second", "/approvals")
    count = page.locator(".nav-toggle .count")
    expect(count).to_have_text("1")
    kestrel.waits_for_production()
    expect(count).to_have_text("2", timeout=15_000)
    expect(page).to_have_title(re.compile(r"^\(2\) Approvals"))
    kestrel.rejects("third", promotion)
    for each in Promotion.objects.filter(status="awaiting_approval"):
        kestrel.rejects("third", each)
    expect(count).to_be_hidden(timeout=15_000)
    expect(page).to_have_title(re.compile("^Approvals"))


def test_a_reject_says_that_it_ends_the_request(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(), "second", f"/promotions/{promotion.pk}")
    page.get_by_role("button", name="Reject …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("A reject ends the request for everybody.")).to_be_visible()
    dialog.get_by_label("Reason").fill("The form logs card numbers.")
    dialog.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("Rejected by Second: The form logs card numbers.").first).to_be_visible()
    promotion.refresh_from_db()
    assert promotion.status == "rejected"


def test_what_changed_is_shown_and_no_vote_is_stored(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(java_script_enabled=False), "second", f"/promotions/{promotion.pk}")
    kestrel.deploys(kestrel.approved_for_production())
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("The promotion has changed since you looked at it")).to_be_visible()
    page.get_by_role("link", name="the release that runs in the target").click()
    expect(page.get_by_text("changed: the release that runs in the target", exact=True)).to_be_in_viewport()
    promotion.refresh_from_db()
    assert promotion.approvals_given == 0


def test_axe_finds_nothing(new_page: NewPage, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = signed_in(new_page(), "third")
    for path in ("/", "/approvals", "/promotions", f"/promotions/{promotion.pk}", "/releases",
                 f"/releases/{promotion.release_id}", "/evidence/verify"):  # fmt: skip
        page.goto(path)
        assert axe_in_each_look(page, path) == []


def test_the_search_key_opens_the_filter_of_promotions(new_page: NewPage, kestrel: Kestrel) -> None:
    page = signed_in(new_page(), "requester", "/promotions")
    expect(page.get_by_label("Release")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Release")).to_be_focused()
