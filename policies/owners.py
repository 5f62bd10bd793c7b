"""The products for which rules of owners fail: no person could ever fill them (domain.md §1b)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from policies import people
from policies.requirements import all_of, asks_owners, shortfalls, signatures
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
    def voters(self) -> dict[str, tuple[str, ...]]:
        vouching = people.vouching_in(self._tenant_id, {})
        return people.voters(people.members(self._tenant_id), at=self._at, vouching=vouching)

    def failing(self, documents: Iterable[Mapping[str, Any]], required: int = 0) -> list[FailingProduct]:
        """The products whose requests could not satisfy these approval policies and this number, by slug. Empty where
        no policy asks for owners."""
        documents = list(documents)
        if not any(asks_owners(each) for each in documents):
            return []
        why: dict[tuple[str, ...], str] = {}
        for teams in self.products.values():
            if teams not in why:
                why[teams] = self._shortfall(documents, required, teams)
        return [
            FailingProduct(slug, f"Product {slug}{why[teams]}") for slug, teams in self.products.items() if why[teams]
        ]

    def _shortfall(self, documents: list[Mapping[str, Any]], required: int, teams: tuple[str, ...]) -> str:
        if not teams:
            return " has no owner teams."
        asked = all_of(required, documents, teams)
        lacking = shortfalls(asked, signatures(asked, self.voters.items()))
        return f": {' '.join(each.sentence for each in lacking)}" if lacking else ""
