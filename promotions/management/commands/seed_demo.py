from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from promotions.demo.cast import SLUG, Cast, Changed, assemble, recall
from promotions.demo.guide import guide, left_alone
from promotions.demo.passphrase import demo_passphrase
from promotions.demo.past import free_past
from promotions.demo.story import Story, ensure_something_waits, not_believed, play_story
from promotions.models import Promotion
from stellapromote.accounts.models import ApiToken, Tenant
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.identity.actions.revoke_token import revoke_token
from stellapromote.local_address import local_address

HISTORY = timedelta(days=31)
REQUIREMENTS = settings.BASE_DIR / "requirements" / "base.txt"
TOKEN_NAME = "demo curl"  # noqa: S105 - a name
TOKEN_LIFE = timedelta(days=1)


class Command(BaseCommand):
    """Demo data, made once through the real actions; every later call only makes sure that a promotion waits for Nia.

    Allowed in the embedded database on a loopback HOST; elsewhere only with DEMO=1 and while there is no other tenant.
    Once the tenant is there, an obstacle to the story is one sentence and no failure: people may remove members,
    archive environments and change policies in the demo, and the product starts all the same.
    """

    help = "Create the demo tenant, or see that something waits for its approver, and print how to try it."

    def handle(self, *_args: Any, **_options: Any) -> None:
        passphrase = demo_passphrase(settings.STELLAPROMOTE_DATA)
        tenant = Tenant.objects.filter(slug=SLUG).first()
        if tenant is None:
            try:
                text = _begun(passphrase)
            except ProductError as error:
                raise CommandError(f"The demo could not be told to its end: {error.message}") from error
        else:
            try:
                text = _continued(tenant, passphrase)
            except Exception as problem:
                text = left_alone(_reason(problem), passphrase if tenant.is_demo else None)
        self.stdout.write(text)


def _begun(passphrase: str) -> str:
    _check_allowed()
    now = DATABASE_CLOCK.now()
    clock = FixedClock(now - HISTORY)
    with transaction.atomic():
        cast = assemble(passphrase, clock)
        play_story(Story(cast, clock, REQUIREMENTS), now)
        return _waits(cast, passphrase)


def _continued(tenant: Tenant, passphrase: str) -> str:
    _check_allowed()
    if not tenant.is_demo:
        raise CommandError(f"The tenant {SLUG} is not a demo: nothing is added to it.")
    return _waits(recall(tenant), passphrase)


def _waits(cast: Cast, passphrase: str) -> str:
    """All or nothing: a story that breaks off leaves no half of itself behind at every start."""
    with transaction.atomic():
        now = DATABASE_CLOCK.now()
        waiting = ensure_something_waits(Story(cast, free_past(cast.tenant, now), REQUIREMENTS), now)
        token = _token(cast)
    waiting = Promotion.objects.select_related("release", "target_environment").get(pk=waiting.pk)
    state = settings.STELLAPROMOTE_DATA
    given = "" if state == settings.BASE_DIR / ".data" else str(state)
    return guide(local_address(), passphrase, token, waiting, not_believed=not_believed(cast), state=given)


def _reason(problem: Exception) -> str:
    if isinstance(problem, ProductError):
        return problem.message
    if isinstance(problem, (CommandError, Changed)):
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def _check_allowed() -> None:
    if settings.EMBEDDED_POSTGRES is not None and settings.LISTENS_ON_LOOPBACK:
        return
    if not settings.DEMO:
        raise CommandError("Demo data is for the embedded database on a loopback HOST. Set DEMO=1 if you mean it.")
    if Tenant.objects.exclude(slug=SLUG).exists():
        raise CommandError("There are other tenants in this database: demo data is not mixed with theirs.")


def _token(cast: Cast) -> str:
    """A fresh token of tomas for the ready-made curl; the one of the last start ends."""
    tomas = cast.actors["tomas"]
    for old in ApiToken.objects.filter(tenant=cast.tenant, user_id=tomas.account, name=TOKEN_NAME, revoked_at=None):
        revoke_token(by=tomas, clock=DATABASE_CLOCK, token_id=old.pk)
    issued = issue_token(
        by=tomas, clock=DATABASE_CLOCK, user_id=tomas.account, name=TOKEN_NAME, scopes=None, life=TOKEN_LIFE
    )
    return issued.text
