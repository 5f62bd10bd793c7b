"""Names as long as they may be: they break, and nothing that matters leaves the window (ui.md, Behaviour)."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from environments.actions.update_environment import update_environment
from stellapromote.accounts.models import Tenant, User
from stellapromote.identity.actions.change_display_name import change_display_name
from tests.browser.conftest import DESKTOP, PHONE, axe_violations
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD, make_person, make_tenant
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
WORD = "supercalifragilisticexpialidocious"
LONG = (WORD * 3)[:100]


@pytest.fixture
def kestrel(server: str) -> Kestrel:
    """Everything has a long name without a blank; a promotion into production waits."""
    kestrel = make_kestrel(now=True)
    Tenant.objects.filter(pk=kestrel.tenant.pk).update(name=LONG[:85])
    for each in (kestrel.dev, kestrel.staging, kestrel.production):
        kestrel.wait()
        update_environment(
            by=kestrel["admin"], clock=kestrel.clock, environment_id=each.pk, changes={"display_name": LONG}
        )
    for who in ("requester", "approver", "admin", "auditor"):
        change_display_name(by=kestrel[who], clock=kestrel.clock, display_name=f"{LONG}{who}")
    for user in User.objects.filter(pk__in=[actor.user_id for actor in kestrel.actors.values()]):
        user.set_password(PASSWORD)
        user.save()
    return kestrel


def sideways(page: Page) -> int:
    """Pixels by which the page, and each table in it, is wider than its window."""
    wider: int = page.evaluate(
        """() => Math.max(...[document.documentElement, ...document.querySelectorAll(".table-wrap")]
            .map(each => each.scrollWidth - each.clientWidth))"""
    )
    return wider


@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("approver", ("/", "promotion", "release", "/approvals?tab=open", "/promotions")),
        ("admin", ("/environments", "/settings/members", "/policies")),
    ],
    ids=["approver", "admin"],
)
def test_nothing_is_wider_than_the_window(
    new_page: NewPage, kestrel: Kestrel, who: str, paths: tuple[str, ...]
) -> None:
    promotion = kestrel.waits_for_production(name=LONG)
    pages = {"promotion": f"/promotions/{promotion.pk}", "release": f"/releases/{promotion.release_id}"}
    page = signed_in(new_page(), who, "/")
    for path in paths:
        page.goto(pages.get(path, path))
        for viewport in (DESKTOP, PHONE):
            page.set_viewport_size(viewport)  # type: ignore[arg-type]
            assert sideways(page) <= 0, path
            expect(page.locator("[popovertarget=user-menu]")).to_be_in_viewport(ratio=1)


def test_a_short_word_beside_them_stays_whole(new_page: NewPage, kestrel: Kestrel) -> None:
    kestrel.waits_for_production(name=LONG)
    page = signed_in(new_page(), "approver", "/approvals?tab=open")
    lines = page.locator("td bdi", has_text=re.compile("^approval$")).evaluate("one => one.getClientRects().length")
    assert lines == 1


def test_a_tenant_with_a_long_name_is_chosen_on_a_phone(new_page: NewPage, kestrel: Kestrel) -> None:
    make_person(make_tenant("o" * 63, name=LONG), "approver")
    page = signed_in(new_page(viewport=PHONE), "approver", "/tenant")
    assert sideways(page) <= 0


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_unfolds_in_the_audit_log_can_be_hit(
    new_page: NewPage, kestrel: Kestrel, viewport: dict[str, int]
) -> None:
    kestrel.waits_for_production()
    page = signed_in(new_page(viewport=viewport), "auditor", "/audit")
    heights = page.locator("td summary").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) >= 24, heights
    assert axe_violations(page) == []
