from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.account_events import record_account
from stellapromote.time_zones import zone_names
from stellapromote.transactions import transactional


@transactional
def change_time_zone(*, by: Actor, clock: Clock, time_zone: str) -> User:
    """The zone in which the actor's pages show times from now on. Raises Invalid for what is no IANA time zone."""
    if time_zone not in zone_names():
        raise rules.wrong("timeZone", "This is no IANA time zone, such as Europe/Berlin or UTC: choose one.", "unknown")
    user = User.objects.select_for_update(no_key=True).get(pk=by.account)
    before = user.time_zone
    if before == time_zone:
        return user
    user.time_zone = time_zone
    user.save(update_fields=["time_zone"])
    record_account(
        "user.time_zone_changed",
        user,
        by=by,
        at=clock.now(),
        before={"timeZone": before},
        after={"timeZone": time_zone},
    )
    return user
