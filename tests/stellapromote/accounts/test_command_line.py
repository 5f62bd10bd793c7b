from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection, transaction
from django.http import Http404

from stellapromote.accounts.command_line import ProductCommand, comma_separated, command_actor, operating_system_user
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.errors import Conflict, FieldError, Invalid


def test_a_command_manages_members_and_nothing_else() -> None:
    assert command_actor().scopes == {TENANT_ADMIN}


def test_who_became_root_by_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = operating_system_user()
    monkeypatch.setenv("SUDO_USER", "greta")
    assert operating_system_user() == f"greta as {plain}"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert operating_system_user() == "uid 4000000"


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (Invalid("Wrong.", fields=[FieldError("expiresDays", "Too long.", "range")]), "--expires-days: Too long."),
        (Invalid("Wrong."), "Wrong."),
        (Conflict("There is one already."), "There is one already."),
        (Http404("No such member of this tenant."), "No such member of this tenant."),
        (OperationalError("connection refused"), "The database does not answer: connection refused"),
    ],
)
def test_every_refusal_is_one_sentence(refusal: Exception, sentence: str) -> None:
    class Refusing(ProductCommand):
        def act(self, **options: Any) -> None:
            raise refusal

    with pytest.raises(CommandError) as told:
        Refusing().handle()
    assert str(told.value) == sentence


@pytest.mark.django_db
def test_without_any_tenant_it_says_so() -> None:
    with pytest.raises(CommandError, match="There is none yet"):
        ProductCommand.tenant("kestrel-pay")


def test_values_are_separated_by_commas() -> None:
    assert comma_separated(" a, b,,c ,") == ["a", "b", "c"]


@pytest.mark.django_db
def test_where_no_installation_is_one_sentence_says_so() -> None:
    class Early(ProductCommand):
        def act(self, **_: Any) -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM accounts_tenant_of_another_installation")

    with pytest.raises(CommandError, match=r"There is no installation in .*: set STELLAPROMOTE_DATA or DATABASE_URL"):
        Early().handle()
