"""/settings in a real browser: greta administers; nia approves; ci-runner is tomas' service."""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from stellapromote.accounts.models import RoleGrant, Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.models import PersonSession
from stellapromote.identity.one_time_links import first_password_link
from tests.browser.conftest import DESKTOP, NARROWEST, PHONE, axe_in_each_look, axe_violations
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD, actor_of_token, make_person, make_ready_tenant, make_service, make_token
from tests.stellapromote.identity.second_factors import code_of

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


@pytest.fixture
def paths(server: str) -> dict[str, str]:
    """The pages by name, each with something on it."""
    tenant: Tenant = make_ready_tenant("kestrel-pay", name="Kestrel Pay")
    greta = make_person(tenant, "greta", roles=["admin"], password=PASSWORD)
    nia = make_person(
        tenant, "nia", display_name="Nia Okafor", roles=["approver"], teams=["release"], password=PASSWORD
    )
    tomas = make_person(tenant, "tomas", roles=["operator"])
    service = make_service(tenant, tomas, "ci-runner")
    for account in (greta, nia, service.user):
        make_token(tenant, account)
    return {
        "profile": "/settings",
        "tokens": "/settings/tokens",
        "services": "/settings/services",
        "service": f"/settings/services/{service.pk}",
        "team": "/settings/teams/release",
        "members": "/settings/members",
        "member": f"/settings/members/{nia.pk}",
        "oneself": f"/settings/members/{greta.pk}",
        "teams": "/settings/teams",
        "invitations": "/settings/invitations",
    }


def keep_picture(page: Page, name: str) -> None:
    directory = os.environ.get("SCREENSHOTS")
    if directory:
        page.screenshot(path=Path(directory) / f"settings-{name}.png", full_page=True)


def test_axe_finds_nothing_on_any_page(new_page: NewPage, paths: dict[str, str]) -> None:
    page = signed_in(new_page(), "greta")
    for name, path in paths.items():
        page.goto(path)
        assert axe_in_each_look(page, f"settings-{name}", DESKTOP) == []


@pytest.mark.parametrize("viewport", [PHONE, NARROWEST], ids=["phone", "narrowest"])
def test_nothing_is_wider_than_a_phone(new_page: NewPage, paths: dict[str, str], viewport: dict[str, int]) -> None:
    page = signed_in(new_page(viewport=viewport), "greta")
    for name, path in paths.items():
        page.goto(path)
        keep_picture(page, f"{name}-{viewport['width']}")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name


@pytest.mark.parametrize("javascript", [True, False], ids=["with script", "without script"])
def test_what_was_written_comes_back_after_the_session_timed_out(
    new_page: NewPage, paths: dict[str, str], javascript: bool
) -> None:
    page = signed_in(new_page(java_script_enabled=javascript), "greta", paths["member"])
    page.locator("#role_role").select_option("viewer")
    page.locator("#role_reason").fill("reads the board")
    PersonSession.objects.update(last_seen_at=DATABASE_CLOCK.now() - timedelta(hours=1))
    page.get_by_role("button", name="Grant role").click()
    expect(page.get_by_text("What you wrote comes back")).to_be_visible()
    page.get_by_label("Username").fill("greta")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("so nothing was done")).to_be_visible()
    expect(page.locator("#role_reason")).to_have_value("reads the board")
    assert axe_violations(page) == [] if javascript else True
    page.get_by_role("button", name="Grant role").click()
    expect(page.locator("#role_reason")).to_have_value("")
    assert RoleGrant.objects.filter(role="viewer", reason="reads the board").exists()


@pytest.mark.parametrize("javascript", [True, False], ids=["with script", "without script"])
def test_a_second_factor_is_set_up_and_asked_for(new_page: NewPage, paths: dict[str, str], javascript: bool) -> None:
    page = signed_in(new_page(java_script_enabled=javascript), "nia", "/settings")
    page.get_by_role("link", name="Set up a second factor").click()
    secret = page.locator("code").inner_text()
    picture = page.get_by_role("img", name="QR code for your app").bounding_box()
    assert picture is not None
    assert picture["width"] == picture["height"] > 150
    assert axe_violations(page) == [] if javascript else True
    page.get_by_role("textbox", name="Code").fill(code_of(secret))
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    assert axe_violations(page) == [] if javascript else True
    recovery = codes.first.inner_text()
    for code in (code_of(secret, 1), recovery):
        page.context.clear_cookies()
        page.goto("/settings")
        page.get_by_label("Username").fill("nia")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
        assert axe_violations(page) == [] if javascript else True
        page.get_by_role("textbox", name="Code").fill(code)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    expect(page.get_by_text("9 recovery codes left")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False], ids=["with script", "without script"])
def test_a_token_is_issued_shown_once_and_revoked(new_page: NewPage, paths: dict[str, str], javascript: bool) -> None:
    page = signed_in(new_page(java_script_enabled=javascript), "nia", "/settings/tokens")
    page.get_by_label("What is it for?").fill("laptop")
    page.get_by_label(re.compile("promotion:read:")).check()
    page.get_by_role("button", name="Issue token").click()
    shown = page.get_by_label("laptop", exact=True)
    text = shown.input_value()
    assert actor_of_token(text).scopes == {"promotion:read"}
    assert axe_violations(page) == [] if javascript else True
    page.goto("/settings/tokens")
    expect(page.get_by_text(text)).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="laptop")
    row.get_by_role("button", name="Revoke").click()
    if javascript:
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row").filter(has_text="laptop")).to_contain_text("revoked")


def test_a_role_is_granted_and_ended_with_a_reason(new_page: NewPage, paths: dict[str, str]) -> None:
    page = signed_in(new_page(), "greta", paths["member"])
    page.get_by_label("Role", exact=True).select_option("auditor")
    page.get_by_role("region", name="Roles").get_by_label("Reason").last.fill("audit week")
    page.get_by_role("button", name="Grant role").click()
    expect(page.get_by_text("audit week")).to_be_visible()
    page.get_by_text("End auditor").first.click()
    page.locator("#end-auditor").fill("week is over")
    page.get_by_role("button", name="End auditor").click()
    expect(page.get_by_text("audit week")).to_have_count(0)


@pytest.mark.parametrize("javascript", [True, False], ids=["with script", "without script"])
def test_a_person_is_invited_accepts_and_is_confirmed(
    new_page: NewPage, paths: dict[str, str], javascript: bool
) -> None:
    page = signed_in(new_page(java_script_enabled=javascript), "greta", paths["invitations"])
    page.get_by_label("Username").fill("mei")
    page.get_by_label(re.compile("^Name")).fill("Mei Lin")
    page.get_by_label(re.compile("approver:")).check()
    page.get_by_role("button", name="Invite").click()
    link = page.get_by_label("It works once, for 72 hours").input_value()
    assert (axe_violations(page) if javascript else []) == []
    keep_picture(page, "invited")
    page.goto(paths["invitations"])
    expect(page.get_by_text(link)).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="mei")).to_contain_text("Link shown")

    guest = new_page(java_script_enabled=javascript)
    guest.goto("/welcome/" + link.split("/welcome/")[1])
    expect(guest.get_by_role("heading", name="Welcome, Mei Lin")).to_be_visible()
    guest.get_by_label("New password", exact=True).fill(PASSWORD)
    guest.get_by_label("New password confirmation").fill(PASSWORD)
    guest.get_by_role("button", name="Set password").click()
    guest.get_by_label("Username").fill("mei")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Sign in").click()
    guest.goto("/settings")
    expect(guest.get_by_text("approver", exact=True)).to_be_visible()

    nia = signed_in(new_page(java_script_enabled=javascript), "nia", paths["members"])
    nia.get_by_role("region", name="Accounts that are not confirmed").get_by_role("link").click()
    assert axe_violations(nia) == [] if javascript else True
    keep_picture(nia, "held")
    nia.get_by_role("button", name="Confirm the account").click()
    expect(nia.get_by_text("The account is confirmed.")).to_be_visible()


def test_a_wrong_form_says_what_to_correct_and_keeps_what_was_typed(new_page: NewPage, paths: dict[str, str]) -> None:
    page = signed_in(new_page(), "greta", "/settings/teams")
    page.get_by_label("Short name").fill("Not A Slug")
    page.get_by_role("button", name="Make team").click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Use 1 to 63 lower-case letters")
    expect(summary).to_be_focused()
    expect(page.get_by_label("Short name")).to_have_value("Not A Slug")
    assert axe_violations(page) == []


def test_a_new_person_sets_a_password_by_their_link_and_signs_in(new_page: NewPage, paths: dict[str, str]) -> None:
    mei = make_person(Tenant.objects.get(), "mei", display_name="Mei Lin", roles=["approver"])
    page = new_page()
    page.goto("/welcome/" + first_password_link(mei).split("/welcome/")[1])
    expect(page.get_by_role("heading", name="Welcome, Mei Lin")).to_be_visible()
    assert axe_violations(page) == []
    keep_picture(page, "welcome")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    page.goto("/accounts/login?next=/settings")
    page.get_by_label("Username").fill("mei")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
