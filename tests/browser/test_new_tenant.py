"""The first day of a tenant with two people: everything else is done on its pages (issue 14)."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from promotions.models import Promotion
from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.messages import send_due
from tests.factories import PASSWORD
from tests.mailbox import Mailbox, mailbox
from tests.stellapromote.identity.second_factors import code_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NewPage = Callable[..., Page]
COUNT_CLICKS = """addEventListener('click', event => {
    if (event.isTrusted) localStorage.clicks = 1 + Number(localStorage.clicks ?? 0);
}, true)"""
TEAMS = {"books": "Books", "cards": "Cards"}
INVITED = {
    "ann": ("operator", ()),
    "bea": ("approver", ("books",)),
    "cyd": ("approver", ("books",)),
    "dan": ("approver", ("cards",)),
    "eve": ("approver", ("cards",)),
    "fay": ("auditor", ()),
}
PRODUCTS = {"ledger": "books", "wallet": "cards"}
OWNERS_AGREE = "owners: 2 by team @owners"
CI_MAY = ("release:read", "release:write", "promotion:read", "promotion:request", "promotion:deploy")


class Person:
    """One person at their browser, with all that they click and type there."""

    def __init__(self, page: Page, username: str) -> None:
        self.page, self.username = page, username
        page.add_init_script(COUNT_CLICKS)

    def signs_in(self, path: str = "/") -> "Person":
        self.page.goto(path)
        self.page.get_by_label("Username").fill(self.username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.presses("Sign in")
        return self

    def presses(self, name: str) -> None:
        with self.page.expect_response(lambda response: response.request.method == "POST"):
            self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_load_state()

    def ticks(self, name: str) -> None:
        self.page.get_by_label(re.compile(re.escape(name))).first.check()

    def fills(self, **given: str) -> None:
        for label, text in given.items():
            self.page.get_by_label(re.compile(f"^{label.replace('_', ' ')}")).first.fill(text)

    def sets_up_second_factor(self) -> None:
        self.page.goto("/settings")
        self.page.get_by_role("link", name="Set up a second factor").click()
        secret = self.page.locator("code").inner_text()
        self.page.get_by_role("textbox", name="Code").fill(code_of(secret))
        self.page.get_by_label("Your password").fill(PASSWORD)
        self.presses("Set up")
        expect(self.page.get_by_role("list", name="Recovery codes")).to_be_visible()

    @property
    def clicks(self) -> int:
        return int(self.page.evaluate("localStorage.clicks ?? 0"))


@pytest.fixture
def people(server: str, new_page: NewPage) -> Callable[[str], Person]:
    call_command("add_tenant", "acme", name="Acme")
    for username, roles in (("greta", "admin,operator"), ("nia", "approver")):
        call_command("add_member", "--tenant=acme", f"--username={username}", f"--roles={roles}")
        user = User.objects.get(username=username)
        user.set_password(PASSWORD)
        user.save()
    return lambda username: Person(new_page(), username)


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        yield box


@pytest.mark.parametrize("with_mail", [True, False], ids=["with mail", "without mail"])
def test_two_people_make_everything_that_a_decision_needs(
    people: Callable[[str], Person], server: str, with_mail: bool, request: pytest.FixtureRequest
) -> None:
    box: Mailbox | None = request.getfixturevalue("box") if with_mail else None
    greta, nia = people("greta").signs_in(), people("nia").signs_in()
    page = greta.page
    for slug, name in TEAMS.items():
        page.goto("/settings/teams")
        greta.fills(Short_name=slug, Name=name)
        greta.presses("Make team")
    links = {each: invites(greta, each, *given, box=box) for each, given in INVITED.items()}
    members = {each: accepts(people(each), link) for each, link in links.items()}
    confirms_all(nia)

    for slug, owner in PRODUCTS.items():
        page.goto("/products")
        page.get_by_text("New product").click()
        greta.fills(Short_name=slug)
        page.get_by_role("checkbox", name=owner).check()
        greta.presses("Create")
    page.goto("/policies")
    page.get_by_role("link", name=re.compile("approval policy")).first.click()
    greta.fills(Name="owners-agree")
    page.get_by_label("Rules").fill(OWNERS_AGREE)
    greta.presses("Save")
    page.goto("/environments")
    page.get_by_role("link", name="New environment").first.click()
    greta.fills(Name="production", Display_name="Production")
    page.get_by_role("checkbox", name="owners-agree").check()
    greta.presses("Create")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Production")

    page.goto("/settings/sign-in")
    page.get_by_label(re.compile("second factor")).check()
    greta.fills(Days="0")
    greta.presses("Save")
    promotion = requested_by_ci(server, service_token(greta))
    members["bea"].page.goto(f"/promotions/{promotion}")
    expect(members["bea"].page.get_by_text("requires a second factor of a person who decides").first).to_be_visible()
    for username, said in (("bea", "1 of 2"), ("cyd", "2 of 2")):
        voter = members[username]
        voter.sets_up_second_factor()
        voter.page.goto("/approvals")
        voter.page.get_by_role("link", name="2026.1").click()
        voter.presses("Approve")
        expect(voter.page.get_by_text(said).first).to_be_visible()
    assert Promotion.objects.get(pk=promotion).status == "approved"
    print("Clicks:", {each.username: each.clicks for each in (greta, nia, *members.values())})


def invites(by: Person, username: str, role: str, teams: tuple[str, ...], *, box: Mailbox | None) -> str:
    """The path of the link that the person gets."""
    page = by.page
    page.goto("/settings/invitations")
    by.fills(Username=username)
    if box is not None:
        by.fills(**{"E-mail_address": f"{username}@example.org"})
    by.ticks(f"{role}:")
    for team in teams:
        by.page.get_by_role("checkbox", name=re.compile(TEAMS[team])).check()
    by.presses("Invite")
    if box is None:
        link = page.get_by_label("It works once, for 72 hours").input_value()
        return "/welcome/" + link.split("/welcome/")[1]
    assert send_due(DATABASE_CLOCK) == 1
    return box.links[-1]


def accepts(person: Person, link: str) -> Person:
    page = person.page
    page.goto(link)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password confirmation").fill(PASSWORD)
    person.presses("Set password")
    return person.signs_in()


def confirms_all(by: Person) -> None:
    """All accounts, roles and teams that wait for a second person."""
    by.page.goto("/settings/members")
    for choice in by.page.get_by_role("checkbox", name=re.compile("^Confirm ")).all():
        choice.check()
    by.presses("Confirm what is chosen")
    expect(by.page.get_by_role("region", name="Not confirmed")).to_have_count(0)


def service_token(by: Person) -> str:
    page = by.page
    page.goto("/settings/services")
    by.fills(Name="ci", Owners="greta")
    for scope in CI_MAY:
        by.ticks(f"{scope}:")
    by.presses("Add service")
    by.fills(What_is_it="pipeline")
    for scope in CI_MAY:
        by.ticks(f"{scope}:")
    by.presses("Issue token")
    return page.get_by_label("pipeline", exact=True).input_value()


def requested_by_ci(server: str, token: str) -> str:
    """The id of the promotion that the pipeline requests by API."""

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        sent = urllib.request.Request(f"{server}/api/v1{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(sent, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    component = {"name": "app", "imageRepository": "registry.example/ledger", "digest": "sha256:" + 64 * "a"}
    release = post("/releases", {"name": "2026.1", "product": "ledger", "components": [component]})
    post(f"/releases/{release['id']}/finalize", {})
    wanted = {"releaseId": release["id"], "targetEnvironment": "production", "reason": "The first release."}
    return str(post("/promotions", wanted)["id"])
