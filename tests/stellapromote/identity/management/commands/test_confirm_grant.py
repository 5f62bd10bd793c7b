import pytest
from django.core.management import CommandError

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import operating_system_user
from stellapromote.accounts.models import HeldAccount, RoleGrant, TeamGrant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.actions.invite import invite
from tests.factories import PASSWORD
from tests.stellapromote.identity.actions.cases import House, last_event, make_house
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

TOMAS = ("--tenant", "kestrel-pay", "--username", "tomas")


@pytest.fixture
def house() -> House:
    house = make_house()
    grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    grant_team(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, team="release")
    return house


def test_it_confirms_what_pages_granted(house: House) -> None:
    out, _ = run("confirm_grant", *TOMAS)
    assert out == "tomas in kestrel-pay: confirmed approver, release.\n"
    assert all(grant.is_vouched_for for grant in RoleGrant.objects.filter(user=house.tomas))
    assert TeamGrant.objects.get(user=house.tomas).is_vouched_for


@pytest.mark.usefixtures("house")
def test_it_is_audited_with_the_user_of_the_operating_system() -> None:
    run("confirm_grant", *TOMAS, "--grant", "approver")
    event = last_event("role.confirmed")
    assert event.actor_name == f"{operating_system_user()} (command line)"
    assert event.metadata["authMethod"] == "command"


def test_or_one_of_them(house: House) -> None:
    run("confirm_grant", *TOMAS, "--grant", "release")
    assert not RoleGrant.objects.get(user=house.tomas, role="approver").is_vouched_for
    assert TeamGrant.objects.get(user=house.tomas).is_vouched_for


@pytest.mark.usefixtures("house")
def test_again_there_is_nothing_to_confirm() -> None:
    run("confirm_grant", *TOMAS)
    out, _ = run("confirm_grant", *TOMAS)
    assert out == "tomas in kestrel-pay: nothing to confirm.\n"


WRONG = [
    (("--tenant", "kestrel-pay", "--username", "mei"), "mei is no member"),
    ((*TOMAS, "--grant", "auditor"), "Held: approver, operator, release."),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG)
@pytest.mark.usefixtures("house")
def test_what_is_not_there_is_told(arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        run("confirm_grant", *arguments)


def test_it_confirms_the_account_as_well(house: House) -> None:
    made = invite(by=house.admin, clock=DATABASE_CLOCK, username="mei", roles=["approver"])
    assert made.link is not None
    nobody = Actor("system", None, "", "Nobody signed in", None, "")
    secret = made.link.rsplit("/", 1)[1]
    accept_with_new_account(by=nobody, clock=DATABASE_CLOCK, secret=secret, password=PASSWORD)
    mei = ("--tenant", "kestrel-pay", "--username", "mei")
    assert run("confirm_grant", *mei, "--grant", "approver")[0] == "mei in kestrel-pay: confirmed approver.\n"
    assert HeldAccount.objects.get().confirmed_at is None
    assert run("confirm_grant", *mei)[0] == "mei in kestrel-pay: confirmed the account.\n"
    assert HeldAccount.objects.get().confirmed_at is not None
