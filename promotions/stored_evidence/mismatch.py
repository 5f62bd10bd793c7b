"""What is found where something stored is not what was signed or recorded."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stellapromote.audit.chain import Broken


class What(StrEnum):
    """What does not fit. Codes of `verify_evidence`, of the event `evidence.mismatch_found` and of the pages."""

    PROMOTION_CHANGED = "PROMOTION_CHANGED"
    PROMOTION_MISSING = "PROMOTION_MISSING"
    RECORD_CHANGED = "RECORD_CHANGED"
    INPUT_CHANGED = "INPUT_CHANGED"
    PACKET_CHANGED = "PACKET_CHANGED"
    PACKET_MISPLACED = "PACKET_MISPLACED"
    OVERRIDE_CHANGED = "OVERRIDE_CHANGED"
    MANIFEST_CHANGED = "MANIFEST_CHANGED"
    DOCUMENT_CHANGED = "DOCUMENT_CHANGED"
    POLICY_CHANGED = "POLICY_CHANGED"
    CHAIN_CHANGED = "CHAIN_CHANGED"


OF_DOCUMENTS: Final = (What.DOCUMENT_CHANGED, What.POLICY_CHANGED, What.PROMOTION_MISSING)
OF_CHAIN: Final = (What.CHAIN_CHANGED,)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One finding. ``place`` names the thing and where in it; ``message`` is a sentence that says what was expected."""

    what: What
    place: str
    message: str


def of_chain(broken: Broken) -> Mismatch:
    """A break of an audit chain as a finding."""
    return Mismatch(What.CHAIN_CHANGED, f"link {broken.sequence}, {broken.reason}", broken.message)
