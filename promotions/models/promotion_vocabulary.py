"""The questions about promotions that many callers share, once as a QuerySet and once as text for hand-written SQL.

A statement whose text is made at import cannot use a QuerySet (docs/adr/0133). So each rule that such a statement needs
has its text here too, made of texts for its values; tests/promotions/models/test_promotion_vocabulary.py compares the
two on random rows.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models

from promotions.states import OPEN, VOTING, Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_APPROVE

if TYPE_CHECKING:
    from promotions.models.promotion import Promotion

NEWEST_DEPLOYED_FIRST = ("-completed_at", "-number")


class PromotionQuerySet(models.QuerySet["Promotion"]):
    """The vocabulary of lists of promotions. An environment, product or release is a value or an expression."""

    def of_product(self, product: str | None) -> Self:
        """Promotions of the product; of all products for None."""
        return self if product is None else self.filter(product=product)

    def deployed(self) -> Self:
        """Promotions that were deployed and not rolled back."""
        return self.filter(status=Status.DEPLOYED)

    def deployed_in(self, environment: Any) -> Self:
        """Deployed promotions whose target is the environment."""
        return self.deployed().filter(target_environment=environment)

    def running_in(self, environment: Any, product: Any) -> Self:
        """The deployed ones of the product in the environment, in their order: the first is what runs there now."""
        return self.deployed_in(environment).filter(product=product).order_by(*NEWEST_DEPLOYED_FIRST)

    def waiting_for(self, person: UUID) -> Self:
        """Promotions that need a vote or a confirmation of this person now."""
        return self.filter(status__in=sorted(VOTING), open_voters__contains=[person])

    def awaiting_decision_by(self, actor: Actor) -> Self:
        """Promotions that need a decision of the actor, if the actor is a person who may decide."""
        return self.waiting_for(actor.account) if decides(actor) else self.none()

    def superseded_by(self, promotion: "Promotion") -> Self:
        """The older open ones that its approval cancels (domain.md §4). Neither goes back."""
        if not promotion.supersedes:
            return self.none()
        return self.filter(
            target_environment=promotion.target_environment_id,
            product=promotion.product,
            number__lt=promotion.number,
            is_rollback=False,
            status__in=sorted(OPEN),
        )


def decides(actor: Actor) -> bool:
    """Whether anything ever waits for the actor: a person with the right to approve."""
    return actor.kind == "person" and actor.has(PROMOTION_APPROVE)


def in_sql(statuses: Iterable[str]) -> str:
    """The list of an ``IN``. It stands in the text: the planner has to see that a partial index fits."""
    return ", ".join(f"'{status}'" for status in sorted(statuses))


def waiting_for_sql(person: str) -> str:
    """The condition of ``waiting_for`` on `promotions_promotion p`."""
    return f"p.status IN ({in_sql(VOTING)}) AND p.open_voters @> ARRAY[{person}]::uuid[]"


# The condition that a row `older` of promotions_promotion is one of ``superseded_by`` a row `me`.
SUPERSEDED_SQL = (
    "older.target_environment_id = me.target_environment_id AND older.product = me.product "
    "AND me.supersedes_older AND NOT me.is_rollback "
    f"AND older.number < me.number AND NOT older.is_rollback AND older.status IN ({in_sql(OPEN)})"
)

# Deployed promotions, for `promotions_promotion d`.
NEWEST_DEPLOYED_FIRST_SQL = "d.completed_at DESC, d.number DESC"


def deployed_in_sql(environment: str) -> str:
    """The condition of ``deployed_in``."""
    return f"d.target_environment_id = {environment} AND d.status = 'deployed'"


def running_sql(column: str, *, environment: str, product: str, release: str | None = None) -> str:
    """The statement for ``column`` of the first of ``running_in``: one row, or none. ``release``: of those of it."""
    of_release = "" if release is None else f" AND d.release_id = {release}"
    return (
        f"SELECT {column} FROM promotions_promotion d "  # noqa: S608 - the parts are constants of our modules
        f"WHERE {deployed_in_sql(environment)} AND d.product = {product}{of_release} "
        f"ORDER BY {NEWEST_DEPLOYED_FIRST_SQL} LIMIT 1"
    )
