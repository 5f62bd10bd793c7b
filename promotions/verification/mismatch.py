"""Findings: something stored differs from what was signed or recorded."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stellapromote.audit.chain import Broken
from stellapromote.database.errors import is_put_off

logger = logging.getLogger(__name__)


class MismatchKind(StrEnum):
    """Codes of the findings of `verify_evidence`, of the event `evidence.mismatch_found` and of the pages."""

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
    SETTING_CHANGED = "SETTING_CHANGED"
    KEY_CHANGED = "KEY_CHANGED"
    CHAIN_CHANGED = "CHAIN_CHANGED"
    TENANT_CHANGED = "TENANT_CHANGED"
    TENANT_MISSING = "TENANT_MISSING"
    DATABASE_CHANGED = "DATABASE_CHANGED"
    NOT_VERIFIED = "NOT_VERIFIED"


OF_DOCUMENTS: Final = (
    MismatchKind.DOCUMENT_CHANGED,
    MismatchKind.POLICY_CHANGED,
    MismatchKind.SETTING_CHANGED,
    MismatchKind.KEY_CHANGED,
    MismatchKind.PROMOTION_MISSING,
    MismatchKind.TENANT_CHANGED,
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


def chain_mismatch(broken: Broken) -> Mismatch:
    """A break of an audit chain as a finding."""
    return Mismatch(MismatchKind.CHAIN_CHANGED, f"link {broken.sequence or 'unknown'}, {broken.reason}", broken.message)


def run_check(place: str, check: Callable[[], list[Mismatch]]) -> list[Mismatch]:
    """The findings of the check, or one finding that the check failed: an unreadable value must not stop the checks
    beside it. Raises only what `unverified_mismatch` raises."""
    try:
        return check()
    except Exception as error:
        return [unverified_mismatch(place, error)]


def unverified_mismatch(place: str, error: Exception) -> Mismatch:
    """The finding for a check that failed with this error. Logs the error; raises it where the database made the check
    wait or is away, for that says nothing about what is stored (docs/adr/0195)."""
    if is_put_off(error):
        raise error
    logger.error("verification_failed", exc_info=error, extra={"place": place})
    return Mismatch(
        MismatchKind.NOT_VERIFIED, place, f"It cannot be verified: reading it fails with {type(error).__name__}."
    )
