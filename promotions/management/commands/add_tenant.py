from typing import Any, ClassVar

from django.core.management.base import CommandParser

from promotions.actions.create_tenant import create_tenant
from stellapromote.accounts.command_line import ProductCommand, command_actor


class Command(ProductCommand):
    """Creates a tenant with its published `default` policy; a slug that is taken is refused."""

    help = "Create a tenant."
    arguments_of_fields: ClassVar = {"slug": "slug"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="Short name in URLs and headers: lower-case letters, digits, hyphens.")
        parser.add_argument("--name", help="Name that people read; the slug when left out.")

    def act(self, **options: Any) -> None:
        slug = options["slug"]
        tenant = create_tenant(slug=slug, name=options["name"] or slug, by=command_actor())
        self.stdout.write(f"Tenant {tenant.slug} is ready. Next: manage.py add_member --tenant {tenant.slug} …")
        self.stdout.write("Two people added so, admins or approvers, can confirm what pages grant to everybody else.")
