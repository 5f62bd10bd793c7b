"""Proposals in a real browser: greta loosened production, ines confirms; one waits, one is in force."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.models import Proposal
from stellapromote.database_clock import DATABASE_CLOCK
from tests.browser.conftest import NARROWEST, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import (
    PASSWORD,
    actor_of,
    make_approval_policy,
    make_environment,
    make_person,
    make_ready_tenant,
)
from tests.proposals import confirmed

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


@pytest.fixture
def waiting(server: str) -> Proposal:
    tenant = make_ready_tenant("kestrel-pay", name="Kestrel Pay")
    greta = actor_of(make_person(tenant, "greta", roles=["admin"], password=PASSWORD), tenant)
    make_person(tenant, "ines", roles=["admin"], password=PASSWORD)
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_approval_policy(greta, "two-person")
    make_environment(greta, "dev", 1)
    production = make_environment(
        greta, "production", 2, approval_policies=["two-person"], require_separation_of_duties=True
    )

    def edit(**changes: object) -> object:
        return update_environment(by=greta, clock=DATABASE_CLOCK, environment_id=production.pk, changes=changes)

    confirmed(edit(require_separation_of_duties=False))
    proposal = edit(approval_policies=[], required_approvals=1, order_index=0)
    assert isinstance(proposal, Proposal)
    return proposal


def addresses(waiting: Proposal) -> list[str]:
    done = Proposal.objects.get(state="confirmed")
    production = f"/environments/{Environment.objects.get(name='production').pk}"
    return [
        *("/proposals", f"/proposals/{waiting.pk}", f"/proposals/{done.pk}"),
        *("/", "/policies", production, f"{production}/edit"),
    ]


def test_axe_finds_nothing(new_page: NewPage, waiting: Proposal) -> None:
    page = signed_in(new_page(), "ines", "/proposals")
    for number, path in enumerate(addresses(waiting)):
        page.goto(path)
        assert axe_in_each_look(page, f"proposals-{number}") == []


def test_nothing_sticks_out_at_320_pixels(new_page: NewPage, waiting: Proposal) -> None:
    page = signed_in(new_page(viewport=NARROWEST), "ines", "/proposals")
    for path in addresses(waiting):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST["width"], path


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_a_second_person_reads_and_confirms(new_page: NewPage, waiting: Proposal, javascript: bool) -> None:
    page = signed_in(new_page(java_script_enabled=javascript), "ines", "/proposals")
    page.get_by_role("link", name="Change environment production").first.click()
    expect(page.get_by_text("Approval policy two-person does not apply any more")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Confirm").click()
    if page.get_by_role("dialog").is_visible():
        page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("The edit is in force from now on")).to_be_visible()
    assert Environment.objects.get(name="production").required_approvals == 1
