"""The ETags of promotions and releases (contract.md, concurrency): the answers of GET, compared by a write."""

from promotions.models import Promotion, Release
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch, opaque


def promotion_tag(promotion: Promotion, by: Actor, *, blind: bool) -> str:
    """Changes with the promotion. Who is blind to its votes is shown their own acts only, so has a tag of their own."""
    return opaque("promotion", promotion.pk, promotion.version, *((by.user_id,) if blind else ()))


def check_tag(promotion: Promotion, by: Actor, condition: IfMatch | None) -> None:
    """The promotion is still as ``by`` saw it, with votes or without. PreconditionFailed."""
    if condition is not None:
        condition.check(*(promotion_tag(promotion, by, blind=blind) for blind in (False, True)))


def release_tag(release: Release) -> str:
    """Changes with the release; where it is deployed is no part of it."""
    return opaque("release", release.pk, release.version)
