"""The frame of the pages and its components in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import NARROWEST, PHONE, axe_in_each_look
from tests.factories import PASSWORD, make_person, make_tenant

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.stellapromote.web.urls")]

NewPage = Callable[..., Page]


@pytest.fixture
def mei(server: str) -> None:
    """A member of two tenants."""
    make_person(make_tenant("kestrel-pay", name="Kestrel Pay"), "mei", roles=["approver"], password=PASSWORD)
    make_person(make_tenant("osprey", name="Osprey Insurance"), "mei", roles=["viewer"])


def sign_in(page: Page) -> Page:
    page.goto("/accounts/login?next=/styleguide")
    page.get_by_label("Username").fill("mei")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/styleguide")
    return page


# --- looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/styleguide", "/accounts/login", "/nothing"])
def test_axe_finds_nothing(new_page: NewPage, path: str) -> None:
    page = new_page()
    page.goto(path)
    assert axe_in_each_look(page, path) == []


@pytest.mark.parametrize("path", ["/styleguide", "/accounts/login", "/nothing"])
def test_pages_reflow_at_320_pixels(new_page: NewPage, path: str) -> None:
    page = new_page(viewport=NARROWEST)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_controls_are_44_pixels_high_on_a_phone(new_page: NewPage) -> None:
    page = new_page(viewport=PHONE)
    page.goto("/styleguide")
    heights = page.locator("main .btn:visible, main .form-control:visible").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44


def test_the_colours_follow_the_system(new_page: NewPage) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page = new_page(colour_scheme=scheme)
        page.goto("/accounts/login")
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(245, 246, 248)", "rgb(19, 22, 27)"]


# --- works without script --------------------------------------------------------------------------------------------


def test_without_script_one_signs_in_switches_the_theme_and_opens_menus(new_page: NewPage, mei: None) -> None:
    page = sign_in(new_page(java_script_enabled=False))
    page.locator("[popovertarget=user-menu]").click()
    page.locator("#user-menu").get_by_role("button", name="Dark").click()
    assert 'data-bs-theme="dark"' in page.content()


def test_without_script_a_dialog_opens(new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/styleguide")
    page.get_by_role("button", name="Reject").first.click()
    expect(page.get_by_role("heading", name="Reject this promotion?")).to_be_visible()


# --- theme, tenant, menus --------------------------------------------------------------------------------------------


def test_the_theme_switches_at_once_and_stays(new_page: NewPage, mei: None) -> None:
    page = sign_in(new_page())
    page.locator("[popovertarget=user-menu]").click()
    page.locator("#user-menu").get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_a_person_of_two_tenants_chooses_and_switches(new_page: NewPage, mei: None) -> None:
    page = sign_in(new_page())
    page.goto("/whoami")
    page.get_by_role("button", name="Osprey Insurance").click()
    page.wait_for_url("**/whoami")
    assert '"tenant": "osprey"' in page.content()


# --- dialogs ---------------------------------------------------------------------------------------------------------


def test_a_dialog_is_modal_and_gives_the_focus_back(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    opener = page.get_by_role("button", name="Reject").first
    opener.click()
    expect(page.locator("#sample-dialog:modal")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_question_is_asked_before_a_dangerous_action(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Stop the line").click()
    page.locator("#confirm-dialog").get_by_role("button", name="Go back").click()
    assert posts == []
    page.get_by_role("button", name="Stop the line").click()
    with page.expect_navigation():
        page.locator("#confirm-dialog").get_by_role("button", name="Stop the line").click()
    assert len(posts) == 1


def test_a_form_is_sent_once_however_often_it_is_clicked(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    held: list[Route] = []
    page.route("**/theme", lambda route: held.append(route))
    # From inside the page: Playwright's own second click would wait for the answer to the first.
    page.get_by_role("button", name="Approve", exact=True).first.evaluate(
        "button => [0, 200].forEach(wait => setTimeout(() => button.click(), wait))"
    )
    page.wait_for_timeout(600)
    assert len(held) == 1
    with page.expect_navigation():
        held[0].continue_()


def test_a_disabled_button_with_a_reason_sends_nothing(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    buttons = page.locator("[aria-disabled=true]").all()
    for button in buttons:
        button.click(force=True)
    descriptions = [
        "You requested this promotion. Somebody else approves it: Nia Okafor (nia).",
        *["It needs the right promotion:approve."] * 2,
    ]
    for button, description in zip(buttons, descriptions, strict=True):
        expect(button).to_have_accessible_description(description)
    assert posts == []


# --- keys ------------------------------------------------------------------------------------------------------------


def test_j_and_k_walk_the_rows(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    for key in "jjjk":
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="2026.47.2", exact=True)).to_be_focused()


def test_keys_are_only_text_inside_a_field(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    field = page.get_by_label("Name").first
    field.press_sequentially("j?k")
    expect(field).to_have_value("j?k")
    expect(page.locator("#help-dialog")).to_be_hidden()


def test_the_question_mark_shows_the_keys(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_visible()


def test_single_keys_can_be_switched_off_for_good(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    page.keyboard.press("?")
    page.get_by_label("Single keys work as shortcuts").uncheck()
    page.reload()
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_hidden()


def test_the_first_stop_leads_to_the_content(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/styleguide")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


# --- focus, copying --------------------------------------------------------------------------------------------------


def test_after_a_mistake_the_summary_has_the_focus(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/accounts/login")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".error-summary")).to_be_focused()
    expect(page.get_by_label("Username")).to_have_value("nobody")


def test_copying_a_digest_copies_all_of_it_and_says_so(new_page: NewPage) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/styleguide")
    page.get_by_role("button", name="Copy manifest digest 9f2b1c7e4a8d").click()
    expect(page.locator("#live")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("sha256:9f2b1c7e4a8d0356")
