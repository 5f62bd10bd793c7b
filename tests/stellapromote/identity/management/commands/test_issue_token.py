import re
from datetime import timedelta

import pytest
from django.core.management.base import CommandError

from stellapromote.accounts.models import ApiToken, Tenant
from stellapromote.accounts.scopes import ROLES
from stellapromote.audit.models import AuditEvent
from tests.factories import actor_of_token, make_person, make_service, make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

NIA = ["--tenant", "kestrel-pay", "--username", "nia"]


@pytest.fixture(autouse=True)
def tenant() -> Tenant:
    tenant = make_tenant("kestrel-pay")
    nia = make_person(tenant, "nia", roles=["approver"])
    make_service(tenant, nia, "ci-runner", scopes=["promotion:deploy"])
    return tenant


def test_stdout_is_the_token_and_nothing_else() -> None:
    out, err = run("issue_token", *NIA)
    assert re.fullmatch(r"spt_[0-9A-Za-z]{65}\n", out)
    assert err == ""


def test_a_token_holds_all_that_its_owner_holds() -> None:
    out, _ = run("issue_token", *NIA)
    assert actor_of_token(out.strip()).scopes == ROLES["approver"]


def test_a_token_holds_the_scopes_asked_for() -> None:
    out, _ = run("issue_token", *NIA, "--scopes", "promotion:read,promotion:approve")
    assert actor_of_token(out.strip()).scopes == {"promotion:read", "promotion:approve"}


@pytest.mark.parametrize("name", ["ci-runner", "kestrel-pay.ci-runner"])
def test_a_service_is_named_with_or_without_its_tenant(name: str) -> None:
    out, _ = run("issue_token", "--tenant", "kestrel-pay", "--username", name)
    assert actor_of_token(out.strip()).username == "kestrel-pay.ci-runner"


def test_a_person_goes_before_a_service_of_the_same_name(tenant: Tenant) -> None:
    make_person(tenant, "ci-runner", roles=["viewer"])
    out, _ = run("issue_token", "--tenant", "kestrel-pay", "--username", "ci-runner")
    assert actor_of_token(out.strip()).kind == "person"


def test_a_token_lives_as_long_as_asked_for() -> None:
    run("issue_token", *NIA, "--expires-days", "7")
    token = ApiToken.objects.get()
    assert token.expires_at - token.created_at == timedelta(days=7)


def test_the_command_is_audited_as_no_person() -> None:
    run("issue_token", *NIA)
    event = AuditEvent.objects.get(action="token.issued")
    assert (event.actor_type, event.actor_id) == ("system", None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tenant", "kestrel-pay", "--username", "nobody"], "kestrel-pay has no member and no service 'nobody'."),
        (["--tenant", "nonsense", "--username", "nia"], "There is no tenant 'nonsense'"),
        ([*NIA, "--scopes", "tenant:admin"], "--scopes: tenant:admin: nia does not have this scope."),
        ([*NIA, "--scopes", "nonsense"], "--scopes: 'nonsense' is no scope."),
        ([*NIA, "--scopes", ","], "--scopes: Choose at least one scope."),
        ([*NIA, "--expires-days", "0"], "--expires-days: A token lives 1 to 366 days."),
        ([*NIA, "--expires-days", "367"], "--expires-days: A token lives 1 to 366 days."),
        ([*NIA, "--expires-days", "-" + "9" * 30], "--expires-days: A token lives 1 to 366 days."),
        ([*NIA, "--expires-days", "9" * 30], "--expires-days: A token lives 1 to 366 days."),
        ([*NIA, "--expires-days", "soon"], "--expires-days"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_issues_nothing(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        run("issue_token", *arguments)
    assert not ApiToken.objects.exists()


def test_a_member_of_another_tenant_is_nobody_here() -> None:
    make_person(make_tenant("osprey"), "mei", roles=["viewer"])
    with pytest.raises(CommandError, match="no member"):
        run("issue_token", "--tenant", "kestrel-pay", "--username", "mei")
