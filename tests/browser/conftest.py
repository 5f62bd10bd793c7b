"""A real Chromium. Tests that need it are skipped, with a line that says so, where none is found; CI installs it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.database import CommittedDatabase

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""By preference: the first one draws the same pages without a window of its own, in a third of the time."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 740}
NARROWEST = {"width": 320, "height": 640}


def _chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of a test module."""
    path = _chromium()
    if path is None or not Path(path).exists():
        pytest.skip("No Chromium found: install it, or name it in CHROMIUM, to run the browser tests.")
    # Playwright runs an event loop in this thread, in which Django would refuse the database to the test itself.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def server(committed_db: CommittedDatabase) -> Iterator[str]:
    """The product in threads of this process, with the URLconf of the test; what it writes is removed afterwards."""
    live = LiveServer("127.0.0.1")
    try:
        yield live.url
    finally:
        live.stop()


@pytest.fixture
def new_page(chromium: Browser, server: str) -> Iterator[Callable[..., Page]]:
    """Makes pages of a fresh profile each; the test fails if one logged an error or broke the security policy."""
    complaints: list[str] = []
    contexts = []

    def make(*, viewport: dict[str, int] = DESKTOP, colour_scheme: str = "light", **options: Any) -> Page:
        context = chromium.new_context(
            base_url=server,
            viewport=viewport,
            color_scheme=colour_scheme,
            **options,  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def _is_complaint(message: Any) -> bool:
    an_answer = ("Failed to load resource", "Response Status Error Code")  # a 4xx or 5xx: the browser, then htmx
    return message.type == "error" and not message.text.startswith(an_answer)


VIOLATIONS = {"resultTypes": ["violations"]}
IN_DARK = {**VIOLATIONS, "runOnly": ["color-contrast"]}
"""Only colours differ between the themes: everything else is found in the light one."""


SETTLED = """async dark => {
    const isDark = colour => colour.match(/[0-9.]+/g).slice(0, 3).reduce((sum, each) => sum + Number(each), 0) < 384;
    for (let frame = 0; frame < 120; frame++) {
        await new Promise(requestAnimationFrame);
        const asked = isDark(getComputedStyle(document.body).backgroundColor) === dark;
        if (frame > 0 && asked && document.getAnimations().length === 0) return;
    }
}"""
"""Until the page has the colours of the theme: what moves takes a moment."""


READ_VIOLATIONS = """async options => (await axe.run(options)).violations.map(
    ({id, nodes}) => ({id, html: nodes.map(node => node.html.slice(0, 120))}))"""


def axe_in_each_look(page: Page, name: str, *viewports: dict[str, int]) -> list[str]:
    """What axe finds in each theme and window (DESKTOP and PHONE unless others are named); pictures of them in
    SCREENSHOTS, where that names a directory."""
    found = []
    for viewport in viewports or (DESKTOP, PHONE):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            page.evaluate(SETTLED, scheme == "dark")
            look = f"{name}-{scheme}-{viewport['width']}"
            if shots := os.environ.get("SCREENSHOTS"):
                page.screenshot(path=Path(shots) / f"{look.strip('/').replace('/', '-')}.png", full_page=True)
            found += [f"{look}: {each}" for each in axe_violations(page)]
    return found


def axe_violations(page: Page) -> list[str]:
    """What axe finds on the page as it is now, one line each."""
    dark, there = page.evaluate("[matchMedia('(prefers-color-scheme: dark)').matches, 'axe' in window]")
    if not there:
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(READ_VIOLATIONS, IN_DARK if dark else VIOLATIONS)
    return [f"{entry['id']}: {html}" for entry in found for html in entry["html"]]
