"""Policies in a real browser: greta administers; production is guarded by two-person, edited twice, and by a draft."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from policies.actions.save_draft import save_draft
from policies.models import ApprovalPolicy
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.database_clock import DATABASE_CLOCK
from tests.browser.conftest import NARROWEST, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import (
    PASSWORD,
    actor_of,
    make_approval_policy,
    make_environment,
    make_person,
    make_promotion_policy,
    make_ready_tenant,
)

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
TWO_PERSON = [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"], "users": ["ravi"]}]
BACKUP = {
    "name": "backup",
    "kind": "manual",
    "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked"},
}


@pytest.fixture
def policy(server: str) -> ApprovalPolicy:
    tenant = make_ready_tenant("kestrel-pay", name="Kestrel Pay")
    greta = actor_of(make_person(tenant, "greta", roles=["admin"], password=PASSWORD), tenant)
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_person(tenant, "mei", roles=["approver"], teams=["security"])
    make_person(tenant, "ravi", roles=["approver", "operator"], teams=["release"])
    policy = make_approval_policy(greta, rules=TWO_PERSON, commentRequired=True)
    changes = {"commentRequired": False, "description": "One of each, never the same person twice."}
    update_approval_policy(by=greta, clock=DATABASE_CLOCK, policy_id=policy.id, changes=changes)
    make_promotion_policy(greta, "strict", gates=[BACKUP])
    save_draft(by=greta, clock=DATABASE_CLOCK, name="strict", changes={"approvalTtl": 7 * 86400})
    make_environment(greta, "dev", 1)
    make_environment(
        greta, "production", 2, approval_policies=["two-person"], promotion_policy="strict", protected=False
    )
    return policy


def addresses(policy: ApprovalPolicy) -> list[str]:
    return ["/policies", f"/policies/approval/{policy.id}", "/policies/promotion/strict", "/policies/promotion/default"]


def test_axe_finds_nothing(new_page: NewPage, policy: ApprovalPolicy) -> None:
    page = signed_in(new_page(), "greta", "/policies")
    for number, path in enumerate(addresses(policy)):
        page.goto(path)
        assert axe_in_each_look(page, f"policies-{number}") == []


def test_nothing_sticks_out_at_320_pixels(new_page: NewPage, policy: ApprovalPolicy) -> None:
    page = signed_in(new_page(viewport=NARROWEST), "greta", "/policies")
    for path in addresses(policy):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_who_could_approve_is_asked_and_answered_without_script(new_page: NewPage, policy: ApprovalPolicy) -> None:
    page = signed_in(new_page(java_script_enabled=False), "greta", "/policies")
    page.get_by_role("link", name="two-person").first.click()
    page.get_by_label("Into").select_option("Production")
    page.get_by_label("Requested by").select_option(label="Ravi (ravi)")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("These people together are enough:")).to_be_visible()
    expect(page.get_by_text("Ravi (ravi) requested this promotion.")).to_be_visible()


def test_an_administrator_edits_sees_what_is_wrong_and_puts_it_right(new_page: NewPage, policy: ApprovalPolicy) -> None:
    page = signed_in(new_page(), "greta", f"/policies/approval/{policy.id}")
    page.get_by_role("link", name="Edit").click()
    rules = page.get_by_label("Rules:")
    rules.fill("release: 1 by team release\nsecurity: 1 by team secruity")
    page.get_by_role("button", name="Save", exact=True).click()
    if shots := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(shots) / "policies-admin.png", full_page=True)
    expect(page.get_by_text("Rule 2: There is no team secruity.")).to_be_visible()
    rules.fill("release: 1 by team release\nsecurity: 1 by team security")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"/policies/approval/{policy.id}")
    expect(page.get_by_role("heading", name="two-person v3")).to_be_visible()


def test_a_draft_is_published_after_a_question(new_page: NewPage, policy: ApprovalPolicy) -> None:
    page = signed_in(new_page(), "greta", "/policies/promotion/strict")
    expect(page.get_by_text("It guards nothing until it is published.")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 2 of strict is published")).to_be_visible()
