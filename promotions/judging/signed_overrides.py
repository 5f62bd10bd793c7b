"""The signed overrides of a promotion: a row alone lifts nothing (domain.md §6, §8)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from promotions.models import Override
from promotions.packets.verifying import known_keys, verify_stored_override


def signed_overrides(promotion_id: UUID, overrides: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The facts of those overrides whose row says what its human decision says and whose signature holds.

    Cost: nothing where there is none, else two statements and one for each.
    """
    if not overrides:
        return []
    keys = known_keys()
    rows = Override.objects.filter(promotion_id=promotion_id)
    good = {str(row.pk) for row in rows if verify_stored_override(row, keys).valid}
    return [each for each in overrides if each["id"] in good]
