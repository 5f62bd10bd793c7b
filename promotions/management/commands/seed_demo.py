from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from promotions.demo.cast import SLUG, Cast, assemble, recall
from promotions.demo.guide import guide
from promotions.demo.passphrase import demo_passphrase
from promotions.demo.story import Story, ensure_something_waits, tell
from promotions.models import Promotion
from stellapromote.accounts.models import ApiToken, Tenant
from stellapromote.clock import SYSTEM_CLOCK, FixedClock
from stellapromote.errors import ProductError
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.identity.actions.revoke_token import revoke_token

HISTORY = timedelta(days=31)
TOKEN_NAME = "demo curl"  # noqa: S105 - a name
TOKEN_LIFE = timedelta(days=1)


class Command(BaseCommand):
    """Demo data, made once through the real actions; every later call only sees to it that something waits for Nia.

    Allowed in the embedded database on a loopback HOST; elsewhere only with DEMO=1 and while there is no other tenant.
    """

    help = "Create the demo tenant, or see that something waits for its approver, and print how to try it."

    def handle(self, *_args: Any, **_options: Any) -> None:
        _check_allowed()
        state = settings.STELLAPROMOTE_DATA
        passphrase = demo_passphrase(state)
        requirements = settings.BASE_DIR / "requirements" / "base.txt"
        try:
            with transaction.atomic():
                cast = _cast(passphrase, requirements)
            waiting = ensure_something_waits(Story(cast, FixedClock(SYSTEM_CLOCK.now()), requirements))
            token = _token(cast)
        except ProductError as error:
            raise CommandError(f"The demo could not be told to its end: {error.message}") from error
        waiting = Promotion.objects.select_related("release", "target_environment").get(pk=waiting.pk)
        url = f"http://{settings.LISTEN_HOST}:{settings.LISTEN_PORT}"
        self.stdout.write(guide(url, passphrase, token, waiting))


def _check_allowed() -> None:
    if settings.EMBEDDED_POSTGRES is not None and settings.LISTENS_ON_LOOPBACK:
        return
    if not settings.DEMO:
        raise CommandError("Demo data is for the embedded database on a loopback HOST. Set DEMO=1 if you mean it.")
    if Tenant.objects.exclude(slug=SLUG).exists():
        raise CommandError("There are other tenants in this database: demo data is not mixed with theirs.")


def _cast(passphrase: str, requirements: Any) -> Cast:
    tenant = Tenant.objects.filter(slug=SLUG).first()
    if tenant is not None:
        if not tenant.is_demo:
            raise CommandError(f"The tenant {SLUG} is not a demo: nothing is added to it.")
        return recall(tenant)
    now = SYSTEM_CLOCK.now()
    clock = FixedClock(now - HISTORY)
    cast = assemble(passphrase, clock)
    tell(Story(cast, clock, requirements), now)
    return cast


def _token(cast: Cast) -> str:
    """A fresh token of tomas for the ready-made curl; the one of the last start ends."""
    tomas = cast.actors["tomas"]
    for old in ApiToken.objects.filter(tenant=cast.tenant, user_id=tomas.account, name=TOKEN_NAME, revoked_at=None):
        revoke_token(by=tomas, clock=SYSTEM_CLOCK, token_id=old.pk)
    issued = issue_token(
        by=tomas, clock=SYSTEM_CLOCK, user_id=tomas.account, name=TOKEN_NAME, scopes=None, life=TOKEN_LIFE
    )
    return issued.text
