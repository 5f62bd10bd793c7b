"""Rows dated ahead of the database's clock, so that nothing that rests on them is decided (domain.md §0)."""

from datetime import datetime, timedelta

from promotions.models.promotion_vocabulary import in_sql
from promotions.states import OPEN
from stellapromote.database_clock import TOLERANCE, LastWrite
from stellapromote.fastpath.prepared import fetch

# Promotions that may still be decided about, by the two indexes that hold no others.
_AHEAD = f"""
SELECT kind, id, at FROM (
  SELECT 'calendar' AS kind, tenant_id AS id, changed_at AS at FROM environments_calendar
  UNION ALL SELECT 'environment', id, updated_at FROM environments_environment
  UNION ALL SELECT 'promotion counter', tenant_id, last_requested_at FROM promotions_promotioncounter
  UNION ALL SELECT 'promotion', id, last_evaluated_at FROM promotions_promotion WHERE status IN ({in_sql(OPEN)})
  UNION ALL SELECT 'promotion', id, last_evaluated_at FROM promotions_promotion WHERE status = 'deploying') written
WHERE at > %s ORDER BY at DESC, id LIMIT 1
"""  # noqa: S608 - the states are constants


def newest_ahead(now: datetime) -> tuple[LastWrite, timedelta] | None:
    """The row that is furthest ahead, and how far, if any is further than the tolerance. One statement."""
    found = fetch(_AHEAD, [now + TOLERANCE])
    if not found:
        return None
    row = LastWrite(*found[0])
    return row, found[0][2] - now
