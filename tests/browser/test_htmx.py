"""Parts of pages that htmx exchanges: polling, announcements, refusals."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.stellapromote.web import urls

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.stellapromote.web.urls")]

NewPage = Callable[..., Page]


@pytest.fixture
def waiting() -> Iterator[list[int]]:
    """What the board shows; a test changes it."""
    urls.waiting[0] = 1
    yield urls.waiting
    urls.waiting[0] = 1


@pytest.fixture
def board(new_page: NewPage, waiting: list[int]) -> Page:
    page = new_page()
    page.goto("/board")
    expect(page.locator("#board b")).to_have_text("1")
    return page


def statuses_of_polls(page: Page, milliseconds: int = 800) -> list[int]:
    seen: list[int] = []
    page.on("response", lambda response: seen.append(response.status) if "/part" in response.url else None)
    page.wait_for_timeout(milliseconds)
    return seen


def polls_asked(page: Page, milliseconds: int = 500) -> list[str]:
    """The requests sent from now on; one sent before may be answered yet."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/part" in request.url else None)
    page.wait_for_timeout(milliseconds)
    return sent


def test_every_poll_gets_304_while_nothing_changed(new_page: NewPage, waiting: list[int]) -> None:
    """From the first on: the page knows what it shows, and what was opened or answered in it stays."""
    page = new_page()
    page.goto("/board")
    statuses = statuses_of_polls(page)
    assert statuses
    assert set(statuses) == {304}


def test_a_304_leaves_the_part_as_it_is(board: Page) -> None:
    statuses_of_polls(board)
    expect(board.locator("#board b")).to_have_text("1")


def test_a_change_arrives_and_is_announced(board: Page, waiting: list[int]) -> None:
    waiting[0] = 2
    expect(board.locator("#board b")).to_have_text("2")
    expect(board.locator("#live")).to_have_text("2 wait for you")


def test_nothing_is_exchanged_while_somebody_types_in_it(board: Page, waiting: list[int]) -> None:
    board.get_by_label("Note").press_sequentially("half a sen")
    waiting[0] = 2
    assert polls_asked(board) == []
    expect(board.get_by_label("Note")).to_have_value("half a sen")


def test_what_was_typed_stays_when_the_focus_has_left_it(board: Page, waiting: list[int]) -> None:
    board.get_by_label("Note").press_sequentially("a whole sentence")
    board.keyboard.press("Tab")
    waiting[0] = 2
    assert polls_asked(board) == []
    expect(board.get_by_label("Note")).to_have_value("a whole sentence")


def test_an_answer_that_arrives_while_somebody_types_exchanges_nothing(board: Page, waiting: list[int]) -> None:
    held: list[Route] = []
    board.route("**/part*", lambda route: held.append(route))
    board.wait_for_event("request", lambda request: "/part" in request.url)
    waiting[0] = 2
    board.get_by_label("Note").press_sequentially("half a sen")
    with board.expect_response(lambda response: "/part" in response.url) as answer:
        for route in held:
            route.continue_()
    assert answer.value.status == 200
    board.unroute("**/part*")
    board.wait_for_timeout(300)
    expect(board.get_by_label("Note")).to_have_value("half a sen")
    expect(board.locator("#board b")).to_have_text("1")
    board.get_by_label("Note").fill("")
    board.get_by_label("Note").blur()
    expect(board.locator("#board b")).to_have_text("2")


def test_what_was_opened_and_has_the_focus_survives_a_change(board: Page, waiting: list[int]) -> None:
    board.get_by_text("More").click()
    board.get_by_role("button", name="Judge").focus()
    waiting[0] = 2
    expect(board.locator("#board b")).to_have_text("2")
    expect(board.get_by_text("All of it")).to_be_visible()
    expect(board.get_by_role("button", name="Judge")).to_be_focused()


def test_nothing_is_asked_for_while_nobody_looks(board: Page) -> None:
    board.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    board.wait_for_timeout(200)
    assert polls_asked(board) == []


def test_a_refusal_is_a_toast_and_is_announced(board: Page) -> None:
    board.get_by_role("button", name="Refused").click()
    expect(board.locator("#toasts")).to_contain_text("Deploy it into staging first.")
    expect(board.locator("#live")).to_contain_text("Deploy it into staging first.")


def test_a_refusal_stays_until_it_is_dismissed(board: Page) -> None:
    board.get_by_role("button", name="Refused").click()
    board.get_by_role("button", name="Dismiss").click()
    expect(board.locator("#toasts")).to_be_empty()


def test_a_failure_says_so_and_shows_no_page_in_the_page(board: Page) -> None:
    board.get_by_role("button", name="Failing").click()
    expect(board.locator("#toasts")).to_contain_text("No answer from the server.")
    expect(board.get_by_role("heading", name="Board")).to_be_visible()


def test_a_form_may_be_sent_again_after_its_answer(board: Page) -> None:
    for count in (1, 2):
        board.get_by_role("button", name="Well done").click()
        expect(board.locator("#toasts .callout")).to_have_count(count)
