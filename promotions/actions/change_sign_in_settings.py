from datetime import timedelta
from typing import Final

from environments.models import Environment
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import SignInSettings, Tenant
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock, rfc3339
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import sign_in_settings_document
from stellapromote.identity.roster import sign_in_settings_of
from stellapromote.identity.rules import wrong
from stellapromote.transactions import transactional

DEFAULT_GRACE: Final = 7
LONGEST_GRACE: Final = 90
"""Days after which the requirement is in force."""

WEAKER: Final = "People who decide need no second factor any more."


@proposable("sign_in_settings.update")
@transactional
def change_sign_in_settings(
    *,
    by: Actor,
    clock: Clock,
    require_second_factor: bool | None = None,
    grace_days: int | None = None,
    if_match: IfMatch | None = None,
) -> SignInSettings:
    """Requires a second factor of people who decide, from the end of the days of grace on, or no longer; a proposal
    where the latter loosens a protected environment.

    Where it is required already, days of grace bring its beginning forward, never back.

    Raises Refused, Invalid for days of grace that it does not take, PreconditionFailed (412).
    """
    by.require(TENANT_ADMIN)
    tenant = Tenant.objects.select_for_update(no_key=True).get(pk=by.tenant)
    settings = sign_in_settings_of(tenant.pk)
    tag = tag_of("sign-in-settings", sign_in_settings_document(settings))
    if if_match is not None:
        if_match.check(tag)
    at = clock.now()
    was_required = settings.second_factor_from is not None
    required = was_required if require_second_factor is None else require_second_factor
    if grace_days is not None:
        if not required:
            raise wrong("graceDays", "Days of grace begin when it becomes required: leave them out.", "use")
        if not 0 <= grace_days <= LONGEST_GRACE:
            raise wrong("graceDays", f"Days of grace are 0 to {LONGEST_GRACE}.", "range")
    before = _told(settings)
    present = settings.second_factor_from
    begins = at + timedelta(days=DEFAULT_GRACE if grace_days is None else grace_days)
    if required and (present is None or grace_days is not None):
        if present is not None and begins >= present:
            message = "It is in force before these days are over: give fewer, or leave them out."
            raise wrong("graceDays", message, "use")
        settings.second_factor_from = begins
    elif not required:
        settings.second_factor_from = None
    weakened = Weakening("sign_in_settings", str(tenant.pk), tenant.slug, tag, before, _told(settings))
    if was_required and not required:
        protected = Environment.objects.of(tenant.pk).filter(protected=True)
        weakened.add([WEAKER], guards=set(protected.values_list("name", flat=True)))
    weakenings = weakened.store(by=by, at=at)
    if before != _told(settings):
        settings.save()
        record(
            by=by,
            at=at,
            action="sign_in_settings.updated",
            resource="sign_in_settings",
            resource_id=tenant.pk,
            before=before,
            after=_told(settings),
            rows=[settings, *weakenings],
        )
    return settings


def _told(settings: SignInSettings) -> dict[str, str | None]:
    begins = settings.second_factor_from
    return {"secondFactorFrom": None if begins is None else rfc3339(begins)}
