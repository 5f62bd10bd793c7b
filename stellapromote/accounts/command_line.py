"""Management commands: their actor, and their output of refusals (domain.md §9)."""

import getpass
import os
import pwd
import re
import sys
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError, connection
from django.http import Http404
from psycopg.errors import UndefinedTable

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ServiceAccount, Tenant
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.errors import Invalid, ProductError


def command_actor(tenant: Tenant | None = None) -> Actor:
    """The platform owner, named by their account on the server, in a tenant or before there is one.

    Holds tenant:admin alone: a command manages members and tokens; it neither votes nor edits what is promoted.
    """
    name = operating_system_user()
    return Actor(
        kind="system",
        user_id=None,
        username=name,
        display_name=f"{name} (command line)",
        tenant_id=None if tenant is None else tenant.id,
        tenant_slug="" if tenant is None else tenant.slug,
        scopes=frozenset({TENANT_ADMIN}),
        auth_method="command",
        tenant_is_demo=tenant is not None and tenant.is_demo,
    )


def operating_system_user() -> str:
    """The login name of the process's user, with who became it by sudo; its number where the system knows no name."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return f"{os.environ['SUDO_USER']} as {name}" if os.environ.get("SUDO_USER") else name


class ProductCommand(BaseCommand):
    """A command whose refusals are one sentence on stderr and exit code 1, never a traceback. Subclasses have `act`.

    ``arguments_of_fields``: as what a field that an action may refuse is given here, where that is not --its-name.
    """

    arguments_of_fields: ClassVar[dict[str, str]] = {}

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self.act(**options)
        except Invalid as error:
            told = " ".join(f"{self._argument(each.field)}: {each.message}" for each in error.fields)
            raise CommandError(told or error.message) from error
        except ProductError as error:
            raise CommandError(error.message) from error
        except Http404 as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}".strip()) from error
        except ProgrammingError as error:
            if not isinstance(error.__cause__, UndefinedTable):
                raise
            raise CommandError(
                f"There is no installation in {connection.settings_dict['NAME']} on "
                f"{connection.settings_dict['HOST']}: set STELLAPROMOTE_DATA or DATABASE_URL as for the one that you "
                "mean, or make one with `make run` or `manage.py migrate`."
            ) from error

    def _argument(self, field: str) -> str:
        field = field.partition("[")[0]  # products[0]
        return self.arguments_of_fields.get(field, "--" + re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", field))

    def act(self, **options: Any) -> None:  # noqa: ARG002
        """Do what the command is for. Actions' refusals may leave it as they are."""
        raise AssertionError("a command says what it does")

    def conclude(self, only: object, tenants: int, wrong: str, slugs: list[str]) -> None:
        """The end of a verification, of ``only`` one tenant or of all. CommandError where something is wrong.

        A restore that failed leaves an empty database: all that is in it is right, and nothing was verified.
        """
        if not only:
            self.stdout.write(f"Tenants verified: {tenants}")
        if slugs:
            raise CommandError(f"{wrong}: {', '.join(slugs)}.")
        if not tenants and not only:
            raise CommandError("There is no tenant in this database: nothing was verified.")

    @staticmethod
    def tenant(slug: str) -> Tenant:
        """The tenant with this slug. CommandError that names the existing ones."""
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            slugs = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20])
            raise CommandError(
                f"There is no tenant {slug!r}. {f'Tenants: {slugs}.' if slugs else 'There is none yet.'}"
            )
        return tenant

    @staticmethod
    def service(tenant: Tenant, name: str) -> ServiceAccount:
        """The tenant's service with this name. CommandError that names the existing ones."""
        service = ServiceAccount.objects.filter(tenant=tenant, name=name).first()
        if service is None:
            names = ", ".join(
                ServiceAccount.objects.filter(tenant=tenant).order_by("name").values_list("name", flat=True)[:20]
            )
            raise CommandError(
                f"There is no service {name!r}. {f'Services: {names}.' if names else 'There is none yet.'}"
            )
        return service


def read_password(username: str) -> str:
    """The first line of stdin; in a terminal it is asked for and not shown."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Password for {username}: ")
    return sys.stdin.readline().rstrip("\r\n")


def comma_separated(text: str) -> list[str]:
    """`a, b` as ["a", "b"]: the type of options that take several values."""
    return [part.strip() for part in text.split(",") if part.strip()]
