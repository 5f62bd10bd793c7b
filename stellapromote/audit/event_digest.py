"""The digest of one event (domain.md §9): what its link in the chain stands for. Pure: no ORM, clock or settings.

The canonical event holds name, address, before and after only as salted digests, each under random bits of its own:
one of them can be shown without opening the others, and personal data can be taken out of an event later, leaving its
digest in place, without breaking the chain. `metadata` and `resource_id` stand in it as they are and must hold no
personal data.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from stellapromote.signing.canonical_json import canonical_bytes

SCHEMA = "stella.audit-event/v1"
SALT_BYTES = 64  # 16 each for name, address, before and after, in this order


@lru_cache(maxsize=1024)
def plain_address(address: str) -> str:
    """One spelling of an address: PostgreSQL and Python write some IPv6 addresses differently. May raise ValueError."""
    return str(ip_address(address))


def event_digest(facts: Mapping[str, Any], salt: bytes) -> bytes:
    """sha256 over the canonical event. `facts` are the event's fields by their column names, as JSON has them.

    KeyError without one of them, CanonicalJsonError when before, after or metadata is not canonical JSON.
    """
    return hashlib.sha256(
        canonical_bytes(
            {
                "schema": SCHEMA,
                "id": facts["id"],
                "timestamp": facts["timestamp"],
                "tenantId": facts["tenant_id"],
                "actorType": facts["actor_type"],
                "actorId": facts["actor_id"],
                "actorName": salted_digest(salt[:16], facts["actor_name"]),
                "actorIp": salted_digest(salt[16:32], facts["actor_ip"]),
                "action": facts["action"],
                "resource": facts["resource"],
                "resourceId": facts["resource_id"],
                "environmentId": facts["environment_id"],
                "releaseId": facts["release_id"],
                "promotionId": facts["promotion_id"],
                "before": salted_digest(salt[32:48], facts["before"]),
                "after": salted_digest(salt[48:], facts["after"]),
                "metadata": facts["metadata"],
                "requestId": facts["request_id"],
            }
        )
    ).digest()


def salted_digest(salt: bytes, value: Any) -> str:
    """`sha256:` + hex over the salt followed by the canonical value."""
    message = b"null" if value is None else canonical_bytes(value)
    return "sha256:" + hashlib.sha256(salt + message).hexdigest()
