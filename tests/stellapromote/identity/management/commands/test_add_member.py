import json
import os
import re
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management.base import CommandError
from django.test import Client
from pytest_django.fixtures import Settings

from stellapromote.accounts.command_line import operating_system_user
from stellapromote.accounts.models import Team, Tenant, User
from stellapromote.audit.models import AuditEvent
from tests.factories import PASSWORD, actor_of, make_product, make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

MEI = ["--tenant", "kestrel-pay", "--username", "mei"]


@pytest.fixture(autouse=True)
def _tenant() -> None:
    make_tenant("kestrel-pay")


def mei() -> User:
    return User.objects.get(username="mei")


def type_password(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(password))


def test_a_new_person_gets_roles_and_teams_which_are_made_where_missing() -> None:
    run("add_member", *MEI, "--roles", "operator,approver", "--teams", "security,release")
    actor = actor_of(mei(), mei().memberships.get().tenant)
    assert (actor.roles, actor.teams) == (("approver", "operator"), ("release", "security"))
    assert Team.objects.count() == 2


def test_operator_and_approver_may_be_limited_to_products() -> None:
    tenant = Tenant.objects.get()
    for slug in ("ledger", "wiki"):
        make_product(tenant, slug)
    limit = ["--roles", "operator,approver,auditor", "--products", "wiki,ledger"]
    out, _ = run("add_member", *MEI, *limit)
    assert "operator, approver, auditor for wiki, ledger" in out
    actor = actor_of(mei(), tenant)
    assert (actor.role_names, set(actor.limits)) == (
        ["approver", "auditor", "operator"],
        {"release:write", "promotion:request", "promotion:cancel", "promotion:deploy", "promotion:approve"},
    )
    assert set(actor.limits.values()) == {frozenset({"ledger", "wiki"})}


@pytest.mark.parametrize(
    ("roles", "products"), [("viewer", "ledger"), ("operator", "nothing")], ids=["role", "product"]
)
def test_what_cannot_be_limited_adds_nobody(roles: str, products: str) -> None:
    make_product(Tenant.objects.get(), "ledger")
    with pytest.raises(CommandError, match="--products: "):
        run("add_member", *MEI, "--roles", roles, "--products", products)
    assert not User.objects.filter(username="mei").exists()


def test_a_new_person_without_password_gets_a_link_to_set_it() -> None:
    out, _ = run("add_member", *MEI, "--roles", "approver")
    found = re.search(r"http\S+", out)
    assert found
    assert Client().get(urlsplit(found.group()).path).status_code == 200


def test_the_password_is_read_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    type_password(monkeypatch, f"{PASSWORD}\nnot this\n")
    out, _ = run("add_member", *MEI, "--roles", "approver", "--password-stdin")
    assert mei().check_password(PASSWORD)
    assert PASSWORD not in out
    assert "http" not in out


def test_again_it_changes_nothing_and_says_so() -> None:
    run("add_member", *MEI, "--roles", "approver", "--teams", "security")
    before = AuditEvent.objects.count()
    out, _ = run("add_member", *MEI, "--roles", "approver", "--teams", "security")
    assert AuditEvent.objects.count() == before
    assert "was already a member" in out


def test_it_adds_to_what_a_member_has_and_takes_nothing_away() -> None:
    run("add_member", *MEI, "--roles", "approver")
    run("add_member", *MEI, "--roles", "operator")
    assert actor_of(mei(), mei().memberships.get().tenant).roles == ("approver", "operator")


def test_a_password_that_is_set_is_kept_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    type_password(monkeypatch, PASSWORD)
    run("add_member", *MEI, "--roles", "approver", "--password-stdin")
    type_password(monkeypatch, "another horse, another staple")
    _, err = run("add_member", *MEI, "--roles", "approver", "--password-stdin")
    assert "was not used" in err
    assert mei().check_password(PASSWORD)


def test_the_events_name_the_user_of_the_operating_system() -> None:
    run("add_member", *MEI, "--roles", "approver")
    event = AuditEvent.objects.get(action="role.granted")
    assert event.actor_name == f"{operating_system_user()} (command line)"
    assert (event.actor_type, event.metadata["authMethod"]) == ("system", "command")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tenant", "no", "--username", "mei", "--roles", "viewer"], "There is no tenant 'no'. Tenants: kestrel"),
        ([*MEI, "--roles", "king"], "--roles: 'king' is no role. Roles: viewer, operator"),
        ([*MEI, "--roles", "viewer", "--teams", "Not A Slug"], "--teams: Use 1 to 63 lower-case letters"),
        (["--tenant", "kestrel-pay", "--username", "Not A Name", "--roles", "viewer"], "--username: Use 1 to 63"),
        ([*MEI, "--roles", "viewer", "--display-name", "x" * 201], "--display-name: This is too long: use at most 200"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence_and_changes_nothing(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        run("add_member", *arguments)
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["", "short", "123456789012345"])
def test_a_weak_password_makes_no_account(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    type_password(monkeypatch, password)
    with pytest.raises(CommandError, match=r"^--password-stdin: "):
        run("add_member", *MEI, "--roles", "viewer", "--password-stdin")
    assert not User.objects.exists()


def test_the_first_who_can_confirm_is_told_that_it_takes_two() -> None:
    told = "One more admin or approver added here"
    assert told not in run("add_member", *MEI, "--roles", "viewer")[0]
    assert told in run("add_member", "--tenant", "kestrel-pay", "--username", "ola", "--roles", "admin")[0]
    assert told not in run("add_member", "--tenant", "kestrel-pay", "--username", "nia", "--roles", "approver")[0]


@pytest.mark.parametrize("left_out", ["--tenant", "--username", "--roles"])
def test_tenant_username_and_roles_must_be_given(left_out: str) -> None:
    arguments = [*MEI, "--roles", "viewer"]
    place = arguments.index(left_out)
    with pytest.raises(CommandError, match=left_out):
        run("add_member", *arguments[:place], *arguments[place + 2 :])


def test_the_link_leads_to_the_server_that_runs(settings: Settings, tmp_path: Path) -> None:
    settings.STELLAPROMOTE_DATA, settings.CSRF_TRUSTED_ORIGINS = tmp_path, []
    (tmp_path / "run.json").write_text(json.dumps({"supervisor": os.getpid(), "url": "http://127.0.0.1:8123"}))
    out, _ = run("add_member", *MEI, "--roles", "approver")
    assert "http://127.0.0.1:8123/welcome/" in out


class Terminal(StringIO):
    """A terminal at which somebody has not typed anything yet."""

    def isatty(self) -> bool:
        return True

    def readline(self, *_: int) -> str:
        pytest.fail("It waits without a word.")


def test_in_a_terminal_the_password_is_asked_for_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", answer)
    run("add_member", *MEI, "--roles", "approver", "--password-stdin")
    assert asked == ["Password for mei: "]
    assert mei().check_password(PASSWORD)
