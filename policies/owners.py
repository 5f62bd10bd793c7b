"""The products for which rules of owners fail: no person could ever fill them (domain.md §1b)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from policies import people
from policies.requirements import all_of, asks_owners, shortfalls, signatures
from policies.vouching import Vouching
from stellapromote.accounts.models import Product

MOST_SHOWN: Final = 100
"""Products that fail, in an answer or on a page."""
MOST_TOLD: Final = 3
"""Products that fail, in one sentence after the other."""


@dataclass(frozen=True, slots=True)
class FailingProduct:
    """A product, and in a sentence why a request of it could not be approved."""

    slug: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"product": self.slug, "message": self.message}


class Owners:
    """The products of a tenant that take requests, with their owner teams, and the people who could approve a request
    at an instant. Five statements, at the first use."""

    def __init__(self, tenant_id: UUID, at: datetime) -> None:
        self._tenant_id, self._at = tenant_id, at

    @cached_property
    def products(self) -> dict[str, tuple[str, ...]]:
        """The owner teams of each product, by slug."""
        rows = Product.objects.filter(tenant_id=self._tenant_id, archived_at=None).order_by("slug")
        return {slug: tuple(teams) for slug, teams in rows.values_list("slug", "owner_teams")}

    @cached_property
    def _members(self) -> list[people.Person]:
        return people.members(self._tenant_id)

    @cached_property
    def products_of_votes(self) -> frozenset[str]:
        """The products to which a voting role of a member is limited."""
        return people.products_of_votes(self._members)

    @cached_property
    def _vouching(self) -> Vouching:
        return people.vouching_in(self._tenant_id, {})

    def voters(self, product: str | None) -> dict[str, tuple[str, ...]]:
        """As people.voters; with None of a product to which no voting role is limited."""
        return people.voters(self._members, product=product, at=self._at, vouching=self._vouching)

    def failing(self, documents: Iterable[Mapping[str, Any]], required: int = 0) -> list[FailingProduct]:
        """The products whose requests could not satisfy these approval policies and this number, by slug. Empty where
        no policy asks for owners."""
        documents = list(documents)
        if not any(asks_owners(each) for each in documents):
            return []
        why: dict[tuple[tuple[str, ...], str | None], str] = {}
        failing = []
        for slug, teams in self.products.items():
            judged_as = teams, slug if slug in self.products_of_votes else None
            if judged_as not in why:
                why[judged_as] = self._shortfall(documents, required, *judged_as)
            if why[judged_as]:
                failing.append(FailingProduct(slug, f"Product {slug}{why[judged_as]}"))
        return failing

    def _shortfall(
        self, documents: list[Mapping[str, Any]], required: int, teams: tuple[str, ...], product: str | None
    ) -> str:
        if not teams:
            return " has no owner teams."
        asked = all_of(required, documents, teams)
        lacking = shortfalls(asked, signatures(asked, self.voters(product).items()))
        return f": {' '.join(each.sentence for each in lacking)}" if lacking else ""
