from typing import Any, NoReturn

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError


class Command(createsuperuser.Command):
    """In place of Django's command of this name: there are no superusers here (product.md, Roles)."""

    help = "Refused: there are no superusers. Make an administrator of a tenant with add_member."

    def handle(self, *_args: Any, **_options: Any) -> NoReturn:
        raise CommandError(
            "There are no superusers: rights come from roles in a tenant. Make an administrator with "
            "`manage.py add_member --tenant SLUG --username NAME --roles admin`."
        )
