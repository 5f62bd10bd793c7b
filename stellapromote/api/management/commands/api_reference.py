from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from stellapromote.api.reference import reference


class Command(BaseCommand):
    help = "Prints docs/api.md: every call of the API with the right it needs."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(reference(settings.ROOT_URLCONF), ending="")
