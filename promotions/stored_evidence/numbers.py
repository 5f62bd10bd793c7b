"""Whether every promotion that the tenant ever numbered is there, with what it is about (domain.md §4, gap-free)."""

from typing import Final
from uuid import UUID

from django.db import connection

from promotions.stored_evidence.mismatch import Mismatch, What

MOST_TOLD: Final = 20

_MISSING = """
SELECT generate_series(1, greatest(
    (SELECT last_number FROM promotions_promotioncounter WHERE tenant_id = %(tenant)s),
    (SELECT max(number) FROM promotions_promotion WHERE tenant_id = %(tenant)s)))
EXCEPT
SELECT p.number FROM promotions_promotion p
JOIN promotions_release r ON r.id = p.release_id AND r.tenant_id = p.tenant_id
JOIN environments_environment t ON t.id = p.target_environment_id AND t.tenant_id = p.tenant_id
LEFT JOIN environments_environment s ON s.id = p.source_environment_id AND s.tenant_id = p.tenant_id
WHERE p.tenant_id = %(tenant)s AND (p.source_environment_id IS NULL OR s.id IS NOT NULL)
ORDER BY 1 LIMIT %(most)s
"""


def check_numbers(tenant_id: UUID) -> list[Mismatch]:
    """The lowest numbers under which no promotion stands with its release and environments. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, {"tenant": tenant_id, "most": MOST_TOLD})
        missing = [number for (number,) in cursor.fetchall()]
    message = "Numbers have no gaps: a promotion of this number was made, and it or what it is about is gone."
    return [Mismatch(What.PROMOTION_MISSING, f"promotion #{number}", message) for number in missing]
