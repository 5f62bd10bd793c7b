from dataclasses import dataclass

from promotions.models import Promotion
from stellapromote.errors import ProductError


@dataclass(frozen=True, slots=True)
class Outcome:
    """The committed result of a transaction: the promotion, and a refusal that the caller gets only after the commit.

    Some refusals change state, such as an approval found expired: raising them inside would undo it (domain.md §4).
    ``changed``: whether any shown part changed, or was audited.
    """

    promotion: Promotion
    refusal: ProductError | None = None
    changed: bool = True

    def result(self) -> Promotion:
        """The promotion, or the refusal, which says whether it changed state (contract.md, idempotency)."""
        if self.refusal is not None:
            self.refusal.changed_state = self.changed
            raise self.refusal
        return self.promotion
