"""Going over the promotions of a tenant in the order of their numbers, some at a time."""

from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

from promotions.models import Promotion
from promotions.stored_evidence.documents import Fitting
from promotions.stored_evidence.mismatch import Mismatch
from promotions.stored_evidence.promotions import check_promotion
from promotions.stored_evidence.reading import Known, kept_of
from promotions.verifying import known_keys

BATCH: Final = 50

Found = list[tuple[Promotion, list[Mismatch]]]


def all_promotions(tenant_id: UUID, fitting: Fitting) -> Iterator[Found]:
    """Every promotion of the tenant with what does not fit in it, 50 at a time, by keyset on the number."""
    number = 0
    while found := promotions_after(tenant_id, number, fitting):
        yield found
        number = found[-1][0].number


def promotions_after(tenant_id: UUID, number: int, fitting: Fitting, most: int = BATCH) -> Found:
    """The promotions that follow this number, at most ``most``. About fifteen statements."""
    rows = Promotion.objects.filter(tenant_id=tenant_id, number__gt=number).order_by("number")
    return _checked(list(rows.select_related("release", "target_environment", "source_environment")[:most]), fitting)


def these_promotions(tenant_id: UUID, promotions: Collection[UUID], fitting: Fitting) -> Found:
    """Those of these promotions that are the tenant's."""
    rows = Promotion.objects.filter(tenant_id=tenant_id, pk__in=promotions).order_by("pk")
    return _checked(list(rows.select_related("release", "target_environment", "source_environment")), fitting)


def _checked(promotions: list[Promotion], fitting: Fitting) -> Found:
    if not promotions:
        return []
    known = Known(known_keys())
    return [(kept.promotion, check_promotion(kept, known, fitting)) for kept in kept_of(promotions)]
