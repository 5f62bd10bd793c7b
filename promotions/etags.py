"""The ETags of promotions (api.md, concurrency): what GET answers, and what a write compares under its row lock."""

from promotions.models import Promotion
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch, strong


def promotion_tag(promotion: Promotion, by: Actor, *, blind: bool) -> str:
    """Changes with the promotion. Who is blind to its votes is shown their own acts only, so has a tag of their own."""
    return strong(f"{promotion.version}-{by.user_id}" if blind else promotion.version)


def check_tag(promotion: Promotion, by: Actor, condition: IfMatch | None) -> None:
    """The promotion is still as ``by`` saw it, with votes or without. PreconditionFailed."""
    if condition is not None:
        condition.check(*(promotion_tag(promotion, by, blind=blind) for blind in (False, True)))
