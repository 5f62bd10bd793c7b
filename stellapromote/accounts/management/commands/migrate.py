from argparse import ArgumentParser

from django.core.management.commands import migrate


class Command(migrate.Command):
    """Django's migrate, as the owner role unless --database says otherwise: the app role may not change structure."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
