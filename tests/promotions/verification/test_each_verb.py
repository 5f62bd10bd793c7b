"""Each verb that changes settings, rights or accounts records the rows that it leaves: a verification finds nothing."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.unarchive_environment import unarchive_environment
from environments.actions.update_environment import update_environment
from environments.actions.update_freeze_window import update_freeze_window
from policies.actions.save_draft import save_draft
from policies.models import Proposal
from promotions.actions.archive_environment import archive_environment
from promotions.actions.delete_environment import delete_environment
from promotions.actions.delete_team import delete_team
from promotions.actions.proposals import expire_proposals, withdraw_proposal
from promotions.actions.record_rows import record_rows
from promotions.actions.retire_approval_policy import retire_approval_policy
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, RoleGrant, User
from stellapromote.clock import rfc3339
from stellapromote.identity.actions.add_member import add_member
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.actions.change_service import change_service
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.end_scope import end_scope
from stellapromote.identity.actions.end_service import end_service
from stellapromote.identity.actions.end_service_owner import end_service_owner
from stellapromote.identity.actions.end_team import end_team
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.actions.rename_team import rename_team
from stellapromote.identity.actions.revoke_token import revoke_token
from stellapromote.identity.actions.set_password import set_password
from stellapromote.identity.sign_in_records import person_without_tenant
from tests.factories import (
    PASSWORD,
    make_approval_policy,
    make_environment,
    make_freeze,
    make_person,
    make_promotion_policy,
    make_service,
    make_token,
)
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.verification.story import rows_found
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db

ROOMS = ("stellapromote/identity/actions", "environments/actions", "policies/actions", "policies/proposals.py")
WITHOUT_ROWS = {
    "stellapromote/identity/actions/create_tenant.py": "a tenant is no recorded row",
    "stellapromote/identity/actions/end_member_sessions.py": "a session is no recorded row",
    "stellapromote/identity/actions/end_sessions.py": "a session is no recorded row",
    "stellapromote/identity/actions/make_password_link.py": "changes nothing",
    "stellapromote/identity/actions/renew_recovery_codes.py": "the set-up that the account names stays",
}
"""Modules of actions with an event that records no row, with the reason."""


@pytest.fixture
def kestrel() -> Iterator[Kestrel]:
    kestrel = make_kestrel()
    record_rows(by=command_actor(), clock=kestrel.clock)
    yield kestrel
    assert rows_found(None) + rows_found(kestrel.tenant.pk) == []


def user(by: Actor) -> User:
    return User.objects.get(pk=by.account)


def test_accounts(kestrel: Kestrel) -> None:
    clock, command = kestrel.clock, command_actor(kestrel.tenant)
    nia = make_person(kestrel.tenant, "nia", password=PASSWORD, clock=clock)
    mei = make_person(kestrel.tenant, "mei", clock=clock)
    add_member(by=command, clock=clock, username="mei", password=PASSWORD)
    change_display_name(by=kestrel["viewer"], clock=clock, display_name="Vic Viewer")
    for person in (nia, mei):
        by = person_without_tenant(None, person)
        set_password(by=by, clock=clock, user=person, password="another horse, another staple")


def test_rights(kestrel: Kestrel) -> None:
    by, clock, member = kestrel["admin"], kestrel.clock, kestrel["viewer"].account
    grant_role(by=by, clock=clock, user_id=member, role="approver")
    grant_team(by=by, clock=clock, user_id=member, team="release")
    grant_scope(by=by, clock=clock, user_id=member, scope="promotion:override", reason="On call")
    confirm_grant(
        by=kestrel["approver"],
        clock=clock,
        user_id=member,
        grant_id=RoleGrant.objects.get(user_id=member, role="approver").pk,
    )
    kestrel.wait()
    end_role(by=by, clock=clock, user_id=member, role="approver")
    end_team(by=by, clock=clock, user_id=member, team="release")
    end_scope(by=by, clock=clock, user_id=member, scope="promotion:override")


def test_teams(kestrel: Kestrel) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    for slug in ("platform", "unused"):
        create_team(by=by, clock=clock, slug=slug)
        rename_team(by=by, clock=clock, slug=slug, name=f"The {slug} team")
    delete_team(by=by, clock=clock, slug="unused")


def test_services(kestrel: Kestrel) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    service = make_service(kestrel.tenant, user(kestrel["second"]), clock=clock)
    make_token(kestrel.tenant, service.user, clock=clock)
    change_service(by=by, clock=clock, service_id=service.pk, scopes=["release:read"])
    end_service(by=by, clock=clock, service_id=service.pk, reason="over")
    assert not ApiToken.objects.filter(user=service.user, revoked_at=None).exists()


def test_services_tokens_and_their_end(kestrel: Kestrel) -> None:
    by, clock, member = kestrel["admin"], kestrel.clock, kestrel["second"].account
    service = make_service(kestrel.tenant, user(kestrel["second"]), clock=clock)
    for _ in range(2):
        make_token(kestrel.tenant, service.user, clock=clock)
    make_token(kestrel.tenant, user(kestrel["second"]), clock=clock)
    first = ApiToken.objects.order_by("pk").first()
    assert first is not None
    revoke_token(by=by, clock=clock, token_id=first.pk)
    add_service_owner(by=by, clock=clock, service_id=service.pk, owner="third")
    end_service_owner(by=by, clock=clock, service_id=service.pk, user_id=member)
    grant_scope(by=by, clock=clock, user_id=member, scope="promotion:override", reason="On call")
    add_service_owner(by=by, clock=clock, service_id=service.pk, owner="second")
    end_membership(by=by, clock=clock, user_id=member)
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    add_member(by=by, clock=clock, username="second")


def test_environments_and_freezes(kestrel: Kestrel) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    new = make_environment(by, "canary", 4, protected=True, approval_policies=["two-person"], clock=clock)
    start, end, later = (rfc3339(clock.now() + timedelta(hours=hours)) for hours in (1, 2, 3))
    window = make_freeze(by, new, start, end, exceptions=["third"], clock=clock)
    for changes in ({"order_index": 1}, {"approval_policies": [], "display_name": "Canary"}):
        confirmed(update_environment(by=by, clock=clock, environment_id=new.pk, changes=changes), clock)
    update_freeze_window(
        by=by, clock=clock, window_id=window.pk, environment_id=new.pk, changes={"end": later, "exceptions": []}
    )
    clear_freeze_window(by=by, clock=clock, window_id=window.pk, environment_id=new.pk)
    confirmed(archive_environment(by=by, clock=clock, environment_id=new.pk), clock)
    confirmed(unarchive_environment(by=by, clock=clock, environment_id=new.pk, order_index=8), clock)
    confirmed(delete_environment(by=by, clock=clock, environment_id=new.pk), clock)


def test_policies_and_proposals(kestrel: Kestrel) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    policy = make_approval_policy(by, "unused", clock=clock)
    update_approval_policy(by=by, clock=clock, policy_id=policy.pk, changes={}, enabled=False)
    retire_approval_policy(by=by, clock=clock, policy_id=policy.pk)
    make_promotion_policy(by, "strict", clock=clock)
    save_draft(by=by, clock=clock, name="strict", changes={"approvalTtl": 60})
    save_draft(by=by, clock=clock, name="strict", changes={"approvalTtl": None})
    for end in ("withdrawn", "replaced", "expired"):
        wanted = {"approval_policies": [], "display_name": end}
        changed = update_environment(by=by, clock=clock, environment_id=kestrel.production.pk, changes=wanted)
        assert isinstance(changed, Proposal)
        if end == "withdrawn":
            withdraw_proposal(changed.pk, by=by, clock=clock)
    kestrel.wait(days=15)
    assert expire_proposals(clock.now()) == 1


def test_each_event_of_an_action_names_the_rows_that_it_leaves() -> None:
    root = Path(settings.BASE_DIR)
    files = [path for room in ROOMS for path in ([root / room] if room.endswith(".py") else (root / room).glob("*.py"))]
    without = {
        path.relative_to(root).as_posix()
        for path in files
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "record"
        if not {"rows", "gone"} & {keyword.arg for keyword in call.keywords}
    }
    assert without == WITHOUT_ROWS.keys()
