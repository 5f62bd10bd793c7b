"""Django's commands that would change an account without a trace are ours here (docs/adr/0158)."""

import re
from urllib.parse import urlsplit

import pytest
from django.core.management.base import CommandError
from django.test import Client

from stellapromote.accounts.command_line import operating_system_user
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from tests.factories import PASSWORD, make_person, make_service, make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

OTHER = "another horse, another staple"


@pytest.fixture(autouse=True)
def nia() -> User:
    return make_person(make_tenant("kestrel-pay"), "nia", roles=["approver"], password=PASSWORD)


def link() -> str:
    out, _ = run("changepassword", "nia")
    found = re.search(r"http\S+", out)
    assert found is not None
    return urlsplit(found.group()).path


def signs_in(password: str) -> bool:
    return Client().post("/accounts/login", {"login": "nia", "password": password}).status_code == 302


def sets(path: str, password: str) -> int:
    return Client().post(path, {"new_password1": password, "new_password2": password}).status_code


def test_it_changes_no_password_and_prints_a_link_for_the_person() -> None:
    path = link()
    assert signs_in(PASSWORD)
    assert sets(link(), OTHER) == 302
    assert signs_in(OTHER)
    assert not signs_in(PASSWORD)
    assert Client().get(path).status_code == 404


def test_the_link_works_once() -> None:
    path = link()
    sets(path, OTHER)
    assert sets(path, PASSWORD) == 404
    assert signs_in(OTHER)


def test_signing_in_ends_it() -> None:
    path = link()
    signs_in(PASSWORD)
    assert Client().get(path).status_code == 404


def test_who_has_no_password_yet_gets_one_too(nia: User) -> None:
    nia.set_unusable_password()
    nia.save()
    assert sets(link(), OTHER) == 302
    assert signs_in(OTHER)


def test_it_is_audited_with_the_user_of_the_operating_system(nia: User) -> None:
    path = link()
    event = AuditEvent.objects.get(action="user.password_link_made")
    assert (event.resource_id, event.tenant_id) == (str(nia.pk), None)
    assert event.actor_name == f"{operating_system_user()} (command line)"
    assert path not in str((event.before, event.after, event.metadata))
    sets(path, OTHER)
    assert AuditEvent.objects.get(action="user.password_changed").actor_id == nia.pk


def test_nobody_and_machines_get_none(nia: User) -> None:
    service = make_service(nia.memberships.get().tenant, nia, "ci")
    User.objects.filter(pk=make_person(nia.memberships.get().tenant, "gone").pk).update(is_active=False)
    for username, told in (
        ("mei", "No account has"),
        (service.user.username, "service account"),
        ("gone", "not sign in"),
    ):
        with pytest.raises(CommandError, match=told):
            run("changepassword", username)
    assert not AuditEvent.objects.filter(action="user.password_link_made").exists()


@pytest.mark.parametrize("arguments", [[], ["--noinput"], ["--username", "root"]])
def test_there_are_no_superusers(arguments: list[str]) -> None:
    before = User.objects.count()
    with pytest.raises(CommandError, match="add_member") as refused:
        run("createsuperuser", *arguments)
    assert refused.value.returncode == 1
    assert User.objects.count() == before
