"""Going over the promotions of a tenant in the order of their numbers, some at a time."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from django.db.models import Q

from promotions.judging.packet_content import stored_installation_id
from promotions.models import Promotion
from promotions.packets.verifying import known_keys
from promotions.verification.documents import VerifiedDigests
from promotions.verification.mismatch import Mismatch, run_check, unverified_mismatch
from promotions.verification.promotions import check_promotion
from promotions.verification.stored_promotions import InstallationKeys, read_stored_promotions
from stellapromote.database.errors import is_put_off

BATCH: Final = 50

Found = list[tuple[Promotion, list[Mismatch]]]

_BARE: Final = ("tenant", "number", "release", "target_environment", "status")


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which promotion a walk goes on. Two may have one number, and one a number below 1: who may change every
    row may drop the rule against it."""

    number: int
    id: UUID


START: Final = Place(-(2**63), UUID(int=0))


def all_promotions(tenant_id: UUID, verified: VerifiedDigests) -> Iterator[Found]:
    """Every promotion of the tenant with what does not fit in it, 50 at a time, by keyset on number and id."""
    found, place = promotions_after(tenant_id, START, verified)
    while place is not None:
        yield found
        found, place = promotions_after(tenant_id, place, verified)


def promotions_after(
    tenant_id: UUID, place: Place, verified: VerifiedDigests, most: int = BATCH
) -> tuple[Found, Place | None]:
    """The promotions that follow, at most ``most``, and the last of them; None: there are no more. About eighteen
    statements."""
    behind = Q(number__gt=place.number) | Q(number=place.number, pk__gt=place.id)
    rows = Promotion.objects.filter(behind, tenant_id=tenant_id)
    keys = list(rows.order_by("number", "pk").values_list("number", "pk")[:most])
    return _checked([pk for _, pk in keys], verified), Place(*keys[-1]) if keys else None


def these_promotions(tenant_id: UUID, promotions: Collection[UUID], verified: VerifiedDigests) -> Found:
    """The promotions of the tenant among these."""
    rows = Promotion.objects.filter(tenant_id=tenant_id, pk__in=promotions).order_by("pk")
    return _checked(list(rows.values_list("pk", flat=True)), verified)


def _checked(promotions: list[UUID], verified: VerifiedDigests) -> Found:
    """Each of them that has its release and environments. Where reading some fails, each is read for itself."""
    if not promotions:
        return []
    verified.gathering.forget_rows()
    try:
        rows = Promotion.objects.filter(pk__in=promotions).select_related(
            "release", "target_environment", "source_environment"
        )
        read = list(rows.order_by("number", "pk"))
        installation_keys, stored_promotions = (
            InstallationKeys(known_keys(), stored_installation_id()),
            read_stored_promotions(read) if read else [],
        )
    except Exception as error:
        if len(promotions) > 1 and not is_put_off(error):
            return [each for promotion in promotions for each in _checked([promotion], verified)]
        wrong = unverified_mismatch("promotion", error)
        return [(Promotion.objects.only(*_BARE).get(pk=promotions[0]), [wrong])]
    return [
        (each.promotion, run_check("promotion", partial(check_promotion, each, installation_keys, verified)))
        for each in stored_promotions
    ]
