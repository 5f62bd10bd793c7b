from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import ProductCommand, comma_separated, command_actor, read_password
from stellapromote.accounts.models import Membership, ServiceAccount, Tenant, User
from stellapromote.accounts.models.token import DEFAULT_LIFE
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.issue_token import issue_token

LONGEST_NUMBER_OF_DAYS = 100_000


class Command(ProductCommand):
    """Issues a token for a member or a service and prints it, and nothing else, to stdout. It is shown this once.

    With the password of a person the token is made by them; without it, it neither votes nor overrides.
    """

    help = "Issue an API token that acts for a person or a service."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True, metavar="NAME", help="Of a member, or of a service.")
        parser.add_argument(
            "--password-stdin", action="store_true", help="Read the person's password from stdin: the token is theirs."
        )
        parser.add_argument(
            "--scopes", type=comma_separated, metavar="SCOPE,SCOPE", help="All that the owner has when left out."
        )
        parser.add_argument(
            "--products",
            type=comma_separated,
            default=(),
            metavar="SLUG,SLUG",
            help="It reads everything, and writes releases and promotions of these products alone.",
        )
        parser.add_argument(
            "--expires-days", type=int, default=DEFAULT_LIFE.days, metavar="N", help="Default 90, at most 366."
        )

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        account = _account(tenant, options["username"])
        by = _signed_in(tenant, account) if options["password_stdin"] else command_actor(tenant)
        days = max(-LONGEST_NUMBER_OF_DAYS, min(options["expires_days"], LONGEST_NUMBER_OF_DAYS))
        issued = issue_token(
            by=by,
            clock=DATABASE_CLOCK,
            user_id=account.pk,
            name="Issued on the command line",
            scopes=options["scopes"],
            life=timedelta(days=days),
            products=options["products"],
        )
        if issued.withheld:
            self.stderr.write(
                f"This token does not carry {' and '.join(sorted(issued.withheld))}: "
                + (
                    f"{tenant.slug} requires a second factor, so {account.username} makes one signed in with it."
                    if options["password_stdin"]
                    else f"give the password of {account.username} by --password-stdin, or let them make one signed in."
                )
            )
        self.stdout.write(issued.text)


def _account(tenant: Tenant, name: str) -> User:
    """The member with this username, else the service with this name or username."""
    member = Membership.objects.filter(tenant=tenant, ended_at=None, user__username=name).select_related("user").first()
    if member is not None:
        return member.user
    services = ServiceAccount.objects.filter(tenant=tenant, name=name.removeprefix(f"{tenant.slug}."))
    service = services.select_related("user").first()
    if service is None:
        raise CommandError(f"{tenant.slug} has no member and no service {name!r}.")
    return service.user


def _signed_in(tenant: Tenant, user: User) -> Actor:
    """The person as the actor, known by their password. CommandError without it."""
    if user.kind != User.Kind.PERSON:
        raise CommandError(f"{user.username} is a service account, which has no password: leave out --password-stdin.")
    if not user.is_active:
        raise CommandError(f"{user.username} may not sign in, so no token acts for them.")
    if not user.check_password(read_password(user.username)):
        raise CommandError(f"That is not the password of {user.username}: no token was made.")
    return Actor(
        kind="person",
        user_id=user.pk,
        username=user.username,
        display_name=user.display_name,
        tenant_id=tenant.pk,
        tenant_slug=tenant.slug,
        auth_method="command",
        tenant_is_demo=tenant.is_demo,
    )
