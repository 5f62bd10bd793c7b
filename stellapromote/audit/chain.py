"""The hash chain of one tenant's audit events (domain.md §9). Pure: bytes in, findings out.

eventHash = sha256(previousEventHash ‖ sequence as 8 bytes, big-endian ‖ eventDigest); the first link follows 32 zero
bytes; sequences count from 1 without a gap.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

GENESIS = bytes(32)


class Break(StrEnum):
    """The fault at the first place where a chain does not hold.

    HEAD_…: it lacks the heads over which evidence packets were signed, or that the system's chain names.
    SYSTEM_HEAD_…: the system's chain lacks those of packets.
    """

    GAP = "GAP"
    FORK = "FORK"
    LINK_MISMATCH = "LINK_MISMATCH"
    HASH_MISMATCH = "HASH_MISMATCH"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    MISSING_EVENT = "MISSING_EVENT"
    MISSING_LINK = "MISSING_LINK"
    HEAD_MISSING = "HEAD_MISSING"
    HEAD_DIFFERENT = "HEAD_DIFFERENT"
    HEAD_UNSIGNED = "HEAD_UNSIGNED"
    SYSTEM_HEAD_MISSING = "SYSTEM_HEAD_MISSING"


@dataclass(frozen=True, slots=True)
class Link:
    """One stored link, with the digest stored in its event and the digest that the event's content has now.

    Both are None where the event is gone.
    """

    sequence: int
    previous_event_hash: bytes
    event_hash: bytes
    stored_digest: bytes | None
    computed_digest: bytes | None


@dataclass(frozen=True, slots=True)
class Head:
    """The last link that holds. An empty chain has sequence 0 and the genesis hash."""

    sequence: int = 0
    event_hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Broken:
    """The first sequence number that does not hold, and why. 0: the number is not known."""

    sequence: int
    reason: Break
    message: str


def event_hash(previous: bytes, sequence: int, event_digest: bytes) -> bytes:
    """The hash of the link `sequence` of an event after `previous`."""
    return hashlib.sha256(previous + sequence.to_bytes(8, "big") + event_digest).digest()


def follow(head: Head, links: Iterable[Link]) -> tuple[Head, Broken | None]:
    """Walk links in the order of their sequence from `head` on: the last one that holds, and the first break, if any.

    Called again with the head it returned, it goes on from there: a chain of any length is verified in pieces.
    """
    for link in links:
        broken = _judge(head, link)
        if broken is not None:
            return head, broken
        head = Head(link.sequence, link.event_hash)
    return head, None


def _judge(head: Head, link: Link) -> Broken | None:
    expected = head.sequence + 1
    if link.sequence > expected:
        return Broken(expected, Break.GAP, f"Link {expected} is missing: {link.sequence} follows {head.sequence}.")
    if link.sequence < expected:
        return Broken(link.sequence, Break.FORK, f"There is more than one link {link.sequence}.")
    if link.stored_digest is None or link.computed_digest is None:
        return Broken(expected, Break.MISSING_EVENT, f"The event of link {expected} is missing.")
    if link.previous_event_hash != head.event_hash:
        return Broken(
            expected, Break.LINK_MISMATCH, f"Link {expected} does not follow the hash of link {head.sequence}."
        )
    if link.stored_digest != link.computed_digest:
        return Broken(
            expected, Break.DIGEST_MISMATCH, f"The event of link {expected} was changed after it was recorded."
        )
    if link.event_hash != event_hash(head.event_hash, expected, link.stored_digest):
        return Broken(expected, Break.HASH_MISMATCH, f"The hash of link {expected} is not that of its event.")
    return None
