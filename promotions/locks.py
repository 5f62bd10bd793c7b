"""The lock order in one place (domain.md §0): calendar → environments by id → release → promotions by id."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.http import Http404

from promotions import rows
from promotions.facts import FACTS, Reading, values_for_facts
from promotions.models import Promotion
from promotions.states import OPEN
from stellapromote.prepared import fetch

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN))

# Written so that PostgreSQL guesses the same for every promotion: it then plans once for a connection, not each time,
# which took longer than the locking.
_LOCK = f"""
SELECT id FROM promotions_promotion WHERE tenant_id = %s AND id = ANY (ARRAY(
  SELECT %s::uuid
  UNION ALL
  SELECT older.id FROM promotions_promotion me JOIN promotions_promotion older
    ON older.target_environment_id = me.target_environment_id AND older.product = me.product
  WHERE me.id = %s AND me.supersedes_older AND NOT me.is_rollback
    AND older.number < me.number AND NOT older.is_rollback AND older.status IN ({_OPEN})))
ORDER BY id FOR UPDATE
"""  # noqa: S608 - the states are constants

_ENVIRONMENT_TO_READ = "SELECT 1 FROM environments_environment WHERE id = %s AND tenant_id = %s FOR SHARE"
_ENVIRONMENT_TO_WRITE = "SELECT 1 FROM environments_environment WHERE id = %s AND tenant_id = %s FOR UPDATE"

# Under the lock of the calendar no environment moves in the promotion order.
_WITH_THE_ONE_BEFORE = """
SELECT 1 FROM environments_environment WHERE tenant_id = %s AND id = ANY (ARRAY(
  SELECT %s::uuid
  UNION ALL
  (SELECT earlier.id FROM environments_environment target JOIN environments_environment earlier
     ON earlier.tenant_id = target.tenant_id AND earlier.archived_at IS NULL
       AND earlier.order_index < target.order_index
   WHERE target.id = %s ORDER BY earlier.order_index DESC LIMIT 1)))
ORDER BY id
"""
_ENTRY_TO_READ, _ENTRY_TO_WRITE = f"{_WITH_THE_ONE_BEFORE} FOR SHARE", f"{_WITH_THE_ONE_BEFORE} FOR UPDATE"


def lock_promotion(promotion_id: UUID, tenant_id: UUID) -> tuple[Promotion, list[Promotion]]:
    """The promotion FOR UPDATE, and the older open ones that its approval would supersede, locked in id order.

    Raises Http404 for ids that the tenant does not have. Cost: two statements.
    """
    promotion, superseded, _ = _locked(promotion_id, tenant_id, "NULL", {})
    return promotion, superseded


def lock_and_read(
    promotion_id: UUID, tenant_id: UUID, *, signing_key_id: str | None, since: datetime
) -> tuple[Promotion, list[Promotion], Reading]:
    """As ``lock_promotion``, with the facts about the promotion for instants from ``since`` on. Cost: the same."""
    values = {"mine": promotion_id, **values_for_facts(signing_key_id, since)}
    promotion, superseded, text = _locked(promotion_id, tenant_id, _FACTS_OF_MINE, values)
    return promotion, superseded, Reading(signing_key_id, since, orjson.loads(text))


def read_without_lock(
    promotion_id: UUID, tenant_id: UUID, *, signing_key_id: str | None, since: datetime
) -> tuple[Promotion, str, Reading]:
    """The promotion, the mark of its row for ``Writes.store``, and the facts, as ``lock_and_read``. One statement."""
    found = rows.marked_promotion(promotion_id, FACTS, values_for_facts(signing_key_id, since))
    if found is None or found[0].tenant_id != tenant_id:
        raise Http404("No such promotion.")
    promotion, mark, text = found
    return promotion, mark, Reading(signing_key_id, since, orjson.loads(text))


_FACTS_OF_MINE = f"CASE WHEN p.id = %(mine)s THEN {FACTS} END"


def _locked(
    promotion_id: UUID, tenant_id: UUID, expression: str, values: dict[str, Any]
) -> tuple[Promotion, list[Promotion], Any]:
    ids = [row[0] for row in fetch(_LOCK, [tenant_id, promotion_id, promotion_id])]
    # Read by a statement of its own, after the wait: release, environments and facts as they are now, not as they were
    # then.
    found = {row.pk: (row, value) for row, value in rows.promotions_with(expression, ids, values)}
    if promotion_id not in found:
        raise Http404("No such promotion.")
    promotion, value = found.pop(promotion_id)
    # PostgreSQL chose the ids before it waited for the rows: one that ended or started meanwhile is not superseded.
    return promotion, [row for row, _ in found.values() if row.status in OPEN], value


def lock_superseded(promotion: Promotion) -> list[Promotion]:
    """The open ones that a promotion not stored yet would supersede if it is approved at once, locked in id order."""
    if not promotion.supersedes_older or promotion.is_rollback:
        return []
    return list(
        Promotion.objects.select_for_update(of=("self",))
        .select_related("release", "target_environment")
        .filter(
            target_environment=promotion.target_environment,
            product=promotion.product,
            is_rollback=False,
            status__in=OPEN,
        )
        .order_by("pk")
    )


def share_surroundings(
    *,
    tenant_id: UUID,
    environment_id: UUID,
    release_id: UUID,
    writes_environment: bool = False,
    enters: bool = False,
) -> None:
    """FOR SHARE on the calendar, the target and the release: no freeze, archive or deprecation commits meanwhile.

    ``enters``: with the environment before the target, so that no rollback there commits between a request's reading
    what is deployed and its own commit. ``writes_environment`` takes the environments FOR UPDATE instead, in their
    place in the order. Call before ``lock_promotion``. Cost: three statements; Django's ORM has no FOR SHARE.
    """
    fetch("SELECT 1 FROM environments_calendar WHERE tenant_id = %s FOR SHARE", [tenant_id])
    if enters:
        entry = _ENTRY_TO_WRITE if writes_environment else _ENTRY_TO_READ
        fetch(entry, [tenant_id, environment_id, environment_id])
    else:
        environment = _ENVIRONMENT_TO_WRITE if writes_environment else _ENVIRONMENT_TO_READ
        fetch(environment, [environment_id, tenant_id])
    fetch("SELECT 1 FROM promotions_release WHERE id = %s AND tenant_id = %s FOR SHARE", [release_id, tenant_id])
