"""The lock order in one place (domain.md §0): calendar → environments by id → release → product → promotions by id."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.http import Http404

from promotions.fastpath import rows
from promotions.judging.facts import FACTS, StoredFacts, values_for_facts
from promotions.judging.products import locking_with_release
from promotions.models import Promotion
from promotions.models.promotion_vocabulary import SUPERSEDED_SQL
from promotions.models.state import note_as_read
from promotions.states import OPEN
from stellapromote.clock import Clock
from stellapromote.database_clock import INSTANT
from stellapromote.fastpath.prepared import Ahead, Asked, fetch, fetch_each

# Written so that PostgreSQL guesses the same for every promotion: it then plans once for a connection, not each time,
# which took longer than the locking.
_LOCK = f"""
SELECT id FROM promotions_promotion WHERE tenant_id = %s AND id = ANY (ARRAY(
  SELECT %s::uuid
  UNION ALL
  SELECT older.id FROM promotions_promotion me JOIN promotions_promotion older ON {SUPERSEDED_SQL}
  WHERE me.id = %s))
ORDER BY id FOR UPDATE
"""  # noqa: S608 - the part is a constant of our modules

_CALENDAR_TO_READ = "SELECT changed_at FROM environments_calendar WHERE tenant_id = %s FOR SHARE"
_TARGET = """
SELECT 1 FROM environments_environment WHERE tenant_id = %s
AND id = (SELECT target_environment_id FROM promotions_promotion WHERE id = %s)
"""
_TARGET_TO_READ, _TARGET_TO_WRITE = f"{_TARGET} FOR SHARE", f"{_TARGET} FOR UPDATE"
_ITS_RELEASE_TO_READ = """
SELECT 1 FROM promotions_release WHERE tenant_id = %s
AND id = (SELECT release_id FROM promotions_promotion WHERE id = %s) FOR SHARE
"""

# Under the lock of the calendar no environment moves in the promotion order, and no path changes. Of a product with a
# path of its own, all earlier ones are locked: the one directly before is among them.
_WITH_THE_ONE_BEFORE = """
SELECT 1 FROM environments_environment WHERE tenant_id = %s AND id = ANY (ARRAY(
  SELECT %s::uuid
  UNION ALL
  (SELECT earlier.id FROM environments_environment target JOIN environments_environment earlier
     ON earlier.tenant_id = target.tenant_id AND earlier.archived_at IS NULL
       AND earlier.order_index < target.order_index
   WHERE target.id = %s ORDER BY earlier.order_index DESC LIMIT (
     SELECT 1 FROM promotions_release release
     JOIN accounts_product product ON product.tenant_id = release.tenant_id AND product.slug = release.product
     WHERE release.id = %s AND product.path IS NULL))))
"""
_ENTRY_TO_READ = f"{_WITH_THE_ONE_BEFORE} ORDER BY id FOR SHARE"
_ENTRY_TO_WRITE = f"""{_WITH_THE_ONE_BEFORE}
AND %s AND EXISTS (SELECT 1 FROM environments_environment t WHERE t.id = %s AND t.auto_promote_from_id IS NOT NULL)
ORDER BY id FOR UPDATE
"""  # noqa: S608 - the part is a constant of this module


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant at which a promotion was read, after the last lock, and the last write of the tenant's calendar."""

    now: datetime
    calendar: datetime | None


def lock_promotion(promotion_id: UUID, tenant_id: UUID, clock: Clock) -> tuple[Promotion, list[Promotion], Moment]:
    """The promotion FOR UPDATE, and the older open ones that its approval would supersede, locked in id order.

    Raises Http404 for ids that the tenant does not have. Cost: two statements.
    """
    promotion, superseded, moment, _ = _locked(promotion_id, tenant_id, "NULL", {"fixed": clock.fixed})
    return promotion, superseded, moment


def lock_and_read(
    promotion_id: UUID, tenant_id: UUID, clock: Clock, *, signing_key_id: str | None
) -> tuple[Promotion, list[Promotion], Moment, StoredFacts]:
    """As ``lock_promotion``, with the facts about the promotion at the moment. Cost: the same."""
    return _lock_and_read(promotion_id, tenant_id, clock, signing_key_id, ())


def _lock_and_read(
    promotion_id: UUID, tenant_id: UUID, clock: Clock, signing_key_id: str | None, before: tuple[Asked, ...]
) -> tuple[Promotion, list[Promotion], Moment, StoredFacts]:
    values = {"mine": promotion_id, **values_for_facts(signing_key_id, clock.fixed)}
    promotion, superseded, moment, text = _locked(promotion_id, tenant_id, _FACTS_OF_MINE, values, before)
    return promotion, superseded, moment, StoredFacts(signing_key_id, moment.now, orjson.loads(text))


def read_without_lock(
    promotion_id: UUID, tenant_id: UUID, clock: Clock, *, signing_key_id: str | None, ahead: Ahead | None
) -> tuple[Promotion, str, Moment, StoredFacts]:
    """The promotion, the mark of its row for ``Writes.store``, and the rest as ``lock_and_read``.

    One statement, none where ``ahead`` has read the same.
    """
    asked = reading_without_lock(promotion_id, clock, signing_key_id=signing_key_id)
    found = ahead.rows if ahead is not None and ahead.asked == asked else None
    if found is None:
        found = fetch(*asked)
    if not found:
        raise Http404("No such promotion.")
    promotion, (mark, now, calendar, text) = rows.promotion_in(found[0])
    if promotion.tenant_id != tenant_id:
        raise Http404("No such promotion.")
    return promotion, mark, Moment(now, calendar), StoredFacts(signing_key_id, now, orjson.loads(text))


def reading_without_lock(promotion_id: UUID, clock: Clock, *, signing_key_id: str | None) -> tuple[str, dict[str, Any]]:
    """The statement of ``read_without_lock``."""
    return rows.asking_promotions(_ALL, [promotion_id], values_for_facts(signing_key_id, clock.fixed))


_CALENDAR = "(SELECT c.changed_at FROM environments_calendar c WHERE c.tenant_id = p.tenant_id)"
_MOMENT = f"{INSTANT}, {_CALENDAR}"
_ALL = f"{rows.MARK}, {_MOMENT}, {FACTS}"
_FACTS_OF_MINE = f"CASE WHEN p.id = %(mine)s THEN {FACTS} END"


def _locked(
    promotion_id: UUID, tenant_id: UUID, expression: str, values: dict[str, Any], before: tuple[Asked, ...] = ()
) -> tuple[Promotion, list[Promotion], Moment, Any]:
    """``before``: what is locked before the promotions."""
    *_, locked = fetch_each(*before, (_LOCK, [tenant_id, promotion_id, promotion_id]))
    ids = [row[0] for row in locked]
    # Read by a statement of its own, after the wait: time, release, environments and facts as they are now, not as
    # they were then.
    found = {row.pk: (row, read) for row, read in rows.promotions_with(f"{_MOMENT}, {expression}", ids, values)}
    if promotion_id not in found:
        raise Http404("No such promotion.")
    promotion, (now, calendar, value) = found.pop(promotion_id)
    # PostgreSQL chose the ids before it waited for the rows: one that ended or started meanwhile is not superseded.
    return promotion, [row for row, _ in found.values() if row.status in OPEN], Moment(now, calendar), value


def is_held(promotion_id: UUID) -> bool:
    """Whether another transaction holds the promotion at this moment, or there is none. One statement, which waits for
    nobody. For the worker, to turn to others meanwhile: what it answers is true no longer once it is read.
    """
    return not fetch("SELECT 1 FROM promotions_promotion WHERE id = %s FOR UPDATE SKIP LOCKED", [promotion_id])


def lock_superseded(promotion: Promotion) -> list[Promotion]:
    """The open ones that a promotion not stored yet would supersede if it is approved at once, locked in id order."""
    found = list(
        Promotion.objects.superseded_by(promotion)
        .select_for_update(of=("self",))
        .select_related("release", "target_environment")
        .order_by("pk")
    )
    for older in found:
        note_as_read(older)
    return found


def lock_with_surroundings(
    promotion_id: UUID, tenant_id: UUID, clock: Clock, *, signing_key_id: str | None, writes_environment: bool
) -> tuple[Promotion, list[Promotion], Moment, StoredFacts]:
    """As ``lock_and_read``, after FOR SHARE on the calendar, the target and the release: no freeze, archive or
    deprecation commits meanwhile. ``writes_environment`` takes the target FOR UPDATE, in its place in the order.

    Cost: the locks are sent together, so two ways to the database.
    """
    environment = _TARGET_TO_WRITE if writes_environment else _TARGET_TO_READ
    surroundings = (
        (_CALENDAR_TO_READ, [tenant_id]),
        (environment, [tenant_id, promotion_id]),
        (_ITS_RELEASE_TO_READ, [tenant_id, promotion_id]),
    )
    return _lock_and_read(promotion_id, tenant_id, clock, signing_key_id, surroundings)


def sharing_for_entry(
    *, tenant_id: UUID, environment_id: UUID, release_id: UUID, ends_hold: bool
) -> tuple[Asked, Asked, Asked, Asked]:
    """The statements that a request begins with: FOR SHARE on the calendar, the target, the environment before it
    on the path of the product, the release and its product. So no freeze, archive or deprecation, and no rollback
    there, commits between its reading and its own commit. Django's ORM has no FOR SHARE.

    ``ends_hold``: an environment that may be on hold is taken FOR UPDATE. A shared lock that is raised later is a
    deadlock between two requests (domain.md §0). The first gives when the calendar was written last,
    the last one the product.
    """
    entry = [tenant_id, environment_id, environment_id, release_id]
    return (
        (_CALENDAR_TO_READ, [tenant_id]),
        (_ENTRY_TO_WRITE, [*entry, ends_hold, environment_id]),
        (_ENTRY_TO_READ, entry),
        locking_with_release(release_id, tenant_id),
    )
