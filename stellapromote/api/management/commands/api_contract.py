from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from stellapromote.api.contract import as_markdown
from stellapromote.api.schema import openapi


class Command(BaseCommand):
    """The text of docs/api.md, from what the viewsets declare."""

    help = "Print the table of all calls, rights and codes: manage.py api_contract > docs/api.md"
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(as_markdown(openapi(settings.ROOT_URLCONF)), ending="")
