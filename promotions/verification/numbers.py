"""Whether every promotion that the tenant ever numbered is there, with what it is about (domain.md §4, gap-free)."""

from typing import Final
from uuid import UUID

from django.db import connection

from promotions.verification.mismatch import Mismatch, MismatchKind

MOST_TOLD: Final = 20

# At most twenty of each gap, so that a counter that was set far ahead costs nothing.
_MISSING = """
WITH there (number) AS (
  SELECT p.number::bigint FROM promotions_promotion p
  JOIN promotions_release r ON r.id = p.release_id AND r.tenant_id = p.tenant_id
  JOIN environments_environment t ON t.id = p.target_environment_id AND t.tenant_id = p.tenant_id
  LEFT JOIN environments_environment s ON s.id = p.source_environment_id AND s.tenant_id = p.tenant_id
  WHERE p.tenant_id = %(tenant)s AND p.number > 0 AND (p.source_environment_id IS NULL OR s.id IS NOT NULL)
  UNION ALL SELECT 0
  UNION ALL SELECT 1 + greatest(
    (SELECT last_number FROM promotions_promotioncounter WHERE tenant_id = %(tenant)s),
    (SELECT max(number) FROM promotions_promotion WHERE tenant_id = %(tenant)s), 0)::bigint
), followed AS (SELECT number, lead(number) OVER (ORDER BY number) AS next FROM there)
SELECT generate_series(number + 1, least(next - 1, number + %(most)s)) FROM followed WHERE next > number + 1
ORDER BY 1 LIMIT %(most)s
"""
_GONE = """
SELECT e.metadata ->> 'number' FROM audit_auditevent e
WHERE e.tenant_id = %(tenant)s AND e.promotion_id IS NOT NULL AND e.action = 'promotion.requested'
  AND NOT EXISTS (SELECT FROM promotions_promotion p WHERE p.id = e.promotion_id AND p.tenant_id = e.tenant_id)
ORDER BY e.timestamp, e.id LIMIT %(most)s
"""


def check_numbers(tenant_id: UUID) -> list[Mismatch]:
    """The lowest numbers without a promotion with its release and environments, and the promotions whose request the
    audit log has, and that are missing. Two statements."""
    numbers: dict[str, None] = {}
    with connection.cursor() as cursor:
        for statement in (_MISSING, _GONE):
            cursor.execute(statement, {"tenant": tenant_id, "most": MOST_TOLD})
            numbers.update(dict.fromkeys(str(number) for (number,) in cursor.fetchall()))
    message = "Numbers have no gaps: a promotion of this number was made, and it or what it is about is gone."
    return [Mismatch(MismatchKind.PROMOTION_MISSING, f"promotion #{number}", message) for number in numbers]
