from dataclasses import dataclass

from promotions.models import Promotion
from stellapromote.errors import ProductError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction committed: the promotion, and a refusal that the caller is told about only after the commit.

    Some refusals change state, such as an approval found expired: raising them inside would undo it (domain.md §4).
    """

    promotion: Promotion
    refusal: ProductError | None = None

    def result(self) -> Promotion:
        """The promotion, or the refusal, marked as one that changed state (api.md, idempotency)."""
        if self.refusal is not None:
            self.refusal.changed_state = True
            raise self.refusal
        return self.promotion
