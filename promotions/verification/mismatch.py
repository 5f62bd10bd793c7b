"""What is found where something stored is not what was signed or recorded."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stellapromote.audit.chain import Broken
from stellapromote.database.errors import is_away

logger = logging.getLogger(__name__)


class MismatchKind(StrEnum):
    """What does not fit. Codes of `verify_evidence`, of the event `evidence.mismatch_found` and of the pages."""

    PROMOTION_CHANGED = "PROMOTION_CHANGED"
    PROMOTION_MISSING = "PROMOTION_MISSING"
    RECORD_CHANGED = "RECORD_CHANGED"
    INPUT_CHANGED = "INPUT_CHANGED"
    PACKET_CHANGED = "PACKET_CHANGED"
    PACKET_MISPLACED = "PACKET_MISPLACED"
    OVERRIDE_CHANGED = "OVERRIDE_CHANGED"
    ACT_CHANGED = "ACT_CHANGED"
    RELEASE_CHANGED = "RELEASE_CHANGED"
    MANIFEST_CHANGED = "MANIFEST_CHANGED"
    DOCUMENT_CHANGED = "DOCUMENT_CHANGED"
    POLICY_CHANGED = "POLICY_CHANGED"
    KEY_CHANGED = "KEY_CHANGED"
    CHAIN_CHANGED = "CHAIN_CHANGED"
    TENANT_MISSING = "TENANT_MISSING"
    DATABASE_CHANGED = "DATABASE_CHANGED"
    NOT_VERIFIED = "NOT_VERIFIED"


OF_DOCUMENTS: Final = (
    MismatchKind.DOCUMENT_CHANGED,
    MismatchKind.POLICY_CHANGED,
    MismatchKind.KEY_CHANGED,
    MismatchKind.PROMOTION_MISSING,
    MismatchKind.TENANT_MISSING,
    MismatchKind.DATABASE_CHANGED,
    MismatchKind.NOT_VERIFIED,
)
OF_CHAIN: Final = (MismatchKind.CHAIN_CHANGED,)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One finding. ``place`` names the thing and where in it; ``message`` is a sentence that says what was expected."""

    what: MismatchKind
    place: str
    message: str


def of_chain(broken: Broken) -> Mismatch:
    """A break of an audit chain as a finding."""
    return Mismatch(MismatchKind.CHAIN_CHANGED, f"link {broken.sequence}, {broken.reason}", broken.message)


def carried_out(place: str, check: Callable[[], list[Mismatch]]) -> list[Mismatch]:
    """What the check finds. That it cannot be carried out is a finding, too: else one value that nobody can read would
    keep everything beside it from being verified. Raises only without a database."""
    try:
        return check()
    except Exception as error:
        return [not_verified(place, error)]


def not_verified(place: str, error: Exception) -> Mismatch:
    """The finding for a check that failed with this error, which the log then holds. Raises it without a database."""
    if is_away(error):
        raise error
    logger.error("verification_failed", exc_info=error, extra={"place": place})
    return Mismatch(
        MismatchKind.NOT_VERIFIED, place, f"It cannot be verified: reading it fails with {type(error).__name__}."
    )
