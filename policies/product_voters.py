"""The products of which no people could approve a request under a policy (domain.md §1b)."""

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


class ProductVoters:
    """The products of a tenant that take requests, with their owner teams, and the people who could approve a request
    at an instant. Five statements, at the first use."""

    def __init__(self, tenant_id: UUID, at: datetime) -> None:
        self._tenant_id, self._at = tenant_id, at
        self._voters: dict[people.LimitedVotes, dict[str, tuple[str, ...]]] = {}

    @cached_property
    def products(self) -> dict[str, tuple[str, ...]]:
        """The owner teams of each product, by slug."""
        rows = Product.objects.filter(tenant_id=self._tenant_id, archived_at=None).order_by("slug")
        return {slug: tuple(teams) for slug, teams in rows.values_list("slug", "owner_teams")}

    @cached_property
    def _members(self) -> list[people.Person]:
        return people.members(self._tenant_id)

    @cached_property
    def products_of_votes(self) -> Mapping[str, people.LimitedVotes]:
        """As people.products_of_votes."""
        return people.products_of_votes(self._members)

    @cached_property
    def _vouching(self) -> Vouching:
        return people.vouching_in(self._tenant_id, {})

    def voters(self, product: str | None) -> dict[str, tuple[str, ...]]:
        """As people.voters; with None of a product to which no voting role is limited. Products to which the same roles
        are limited have the same voters, who are found once."""
        votes = self._votes(product)
        if votes not in self._voters:
            self._voters[votes] = people.voters(self._members, product=product, at=self._at, vouching=self._vouching)
        return self._voters[votes]

    def failing(self, documents: Iterable[Mapping[str, Any]], required: int = 0) -> list[FailingProduct]:
        """The products whose requests could not satisfy these approval policies and this number, by slug."""
        documents = list(documents)
        of_owners = any(asks_owners(each) for each in documents)
        why: dict[tuple[tuple[str, ...] | None, people.LimitedVotes], str] = {}
        failing = []
        for slug, teams in self.products.items():
            owners = teams if of_owners else None
            judged_as = owners, self._votes(slug)
            if judged_as not in why:
                why[judged_as] = self._shortfall(documents, required, owners, slug)
            if why[judged_as]:
                failing.append(FailingProduct(slug, f"Product {slug}{why[judged_as]}"))
        return failing

    def _votes(self, product: str | None) -> people.LimitedVotes:
        return self.products_of_votes.get(product, frozenset()) if product else frozenset()

    def _shortfall(
        self, documents: list[Mapping[str, Any]], required: int, owners: tuple[str, ...] | None, product: str
    ) -> str:
        """``owners``: None where no policy asks for them."""
        if owners == ():
            return " has no owner teams."
        asked = all_of(required, documents, owners or ())
        lacking = shortfalls(asked, signatures(asked, self.voters(product).items()))
        return f": {' '.join(each.sentence for each in lacking)}" if lacking else ""
