import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management.base import CommandError

from stellapromote.accounts.command_line import operating_system_user
from stellapromote.accounts.models import ApiToken, Tenant, User
from stellapromote.accounts.scopes import ROLES
from stellapromote.accounts.token_format import generate, secret_digest
from stellapromote.audit.models import AuditEvent
from stellapromote.ids import new_id
from tests.factories import PASSWORD, actor_of_token, make_person, make_product, make_service, make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

NIA = ["--tenant", "kestrel-pay", "--username", "nia"]


@pytest.fixture(autouse=True)
def tenant() -> Tenant:
    tenant = make_tenant("kestrel-pay")
    nia = make_person(tenant, "nia", roles=["approver"], password=PASSWORD)
    make_service(tenant, nia, "ci-runner", scopes=["promotion:deploy"])
    return tenant


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{PASSWORD}\n"))


@pytest.mark.usefixtures("typed")
def test_stdout_is_the_token_and_nothing_else() -> None:
    out, err = run("issue_token", *NIA, "--password-stdin")
    assert re.fullmatch(r"spt_[0-9A-Za-z]{65}\n", out)
    assert err == ""


@pytest.mark.usefixtures("typed")
def test_with_the_password_it_holds_all_that_the_person_holds_and_is_made_by_them() -> None:
    out, _ = run("issue_token", *NIA, "--password-stdin")
    actor = actor_of_token(out.strip())
    assert actor.scopes == ROLES["approver"]
    assert actor.token_issuer_id == actor.user_id
    event = AuditEvent.objects.get(action="token.issued")
    assert (event.actor_type, event.actor_id) == ("user", actor.user_id)
    assert event.metadata["authMethod"] == "command"
    assert event.after["onServerBy"] == operating_system_user()
    assert PASSWORD not in str((event.before, event.after, event.metadata))


def test_without_the_password_it_neither_votes_nor_overrides_and_says_so(tenant: Tenant) -> None:
    run("grant_scope", *NIA, "--reason", "On call")
    out, err = run("issue_token", *NIA)
    assert re.fullmatch(r"spt_[0-9A-Za-z]{65}\n", out)
    assert "does not carry promotion:approve and promotion:override" in err
    assert actor_of_token(out.strip()).scopes == ROLES["approver"] - {"promotion:approve"}


@pytest.mark.parametrize("scope", ["promotion:approve", "promotion:override"])
def test_nor_when_it_is_asked_to(scope: str) -> None:
    run("grant_scope", *NIA, "--reason", "On call")
    with pytest.raises(CommandError, match="has to make the token themselves"):
        run("issue_token", *NIA, "--scopes", f"promotion:read,{scope}")
    assert not ApiToken.objects.exists()


def test_a_token_of_before_that_nobody_issued_does_not_vote_any_more() -> None:
    run("issue_token", *NIA)
    token = ApiToken.objects.get()
    public_id, secret, text = generate()
    token.pk, token.public_id, token.secret_digest = new_id(), public_id, secret_digest(secret)
    token.scopes = sorted(ROLES["approver"])
    token.save(force_insert=True)
    assert not actor_of_token(text).has("promotion:approve")


def test_another_password_makes_no_token(monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> None:
    make_person(tenant, "new", roles=["approver"])
    for username, typed in (("nia", "wrong"), ("nia", ""), ("new", "")):
        monkeypatch.setattr("sys.stdin", StringIO(f"{typed}\n"))
        with pytest.raises(CommandError, match=f"not the password of {username}"):
            run("issue_token", "--tenant", "kestrel-pay", "--username", username, "--password-stdin")
    assert not ApiToken.objects.exists()


@pytest.mark.usefixtures("typed")
def test_who_may_not_sign_in_makes_none_either() -> None:
    User.objects.filter(username="nia").update(is_active=False)
    with pytest.raises(CommandError, match="may not sign in"):
        run("issue_token", *NIA, "--password-stdin")


@pytest.mark.usefixtures("typed")
def test_a_service_has_no_password() -> None:
    with pytest.raises(CommandError, match="leave out --password-stdin"):
        run("issue_token", "--tenant", "kestrel-pay", "--username", "ci-runner", "--password-stdin")


def test_a_token_holds_the_scopes_asked_for() -> None:
    out, _ = run("issue_token", *NIA, "--scopes", "promotion:read,policy:read")
    assert actor_of_token(out.strip()).scopes == {"promotion:read", "policy:read"}


@pytest.mark.parametrize("name", ["ci-runner", "kestrel-pay.ci-runner"])
def test_a_service_is_named_with_or_without_its_tenant(name: str) -> None:
    out, _ = run("issue_token", "--tenant", "kestrel-pay", "--username", name)
    assert actor_of_token(out.strip()).username == "kestrel-pay.ci-runner"


def test_a_person_goes_before_a_service_of_the_same_name(tenant: Tenant) -> None:
    make_person(tenant, "ci-runner", display_name="Carla", roles=["viewer"])
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
        ([*NIA, "--scopes", "tenant:admin"], "--scopes: tenant:admin: nia does not have this scope"),
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


def test_it_may_be_limited_to_products(tenant: Tenant) -> None:
    """Without scopes it has all that can be limited."""
    tomas = make_person(tenant, "tomas", roles=["operator"])
    make_product(tenant, "ledger")
    out, _ = run("issue_token", "--tenant", "kestrel-pay", "--username", "tomas", "--products", "ledger")
    by = actor_of_token(out.strip())
    assert (by.user_id, by.products, "release:write" in by.scopes) == (tomas.pk, ("ledger",), True)
    assert "evidence:write" not in by.scopes
    with pytest.raises(CommandError, match="--products: There is no product books"):
        run("issue_token", "--tenant", "kestrel-pay", "--username", "tomas", "--products", "ledger,books")
