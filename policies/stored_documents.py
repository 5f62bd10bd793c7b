"""Policy documents by digest, as they were stored: read by evaluations and replays (domain.md §0, §7).

The content of a digest never changes, so the documents last read stay in this process. They are shared between callers,
which must not change them.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import orjson

from policies.models import ApprovalPolicyVersion, PromotionPolicyVersion
from stellapromote.errors import RuleViolation
from stellapromote.signing.canonical_json import digest_bytes

KEPT: Final = 256

Document = dict[str, Any]


class PolicyTextMissing(RuleViolation):
    """No stored text has the digest of a policy version any more, so it is not known what the policy asks for."""

    code = "POL_INVALID"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"No stored policy text has the digest {digest} any more, so what the policy asks for is not known: tell "
            "the platform owner, who can restore the text.",
            details={"digest": digest},
        )


class _Recent:
    """The documents used last, at most `size` of them. Safe between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[UUID, str], Document] = OrderedDict()

    def get(self, key: tuple[UUID, str]) -> Document | None:
        with self._lock:
            document = self._kept.get(key)
            if document is not None:
                self._kept.move_to_end(key)
            return document

    def put(self, key: tuple[UUID, str], document: Document) -> None:
        with self._lock:
            self._kept[key] = document
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)


_recent = _Recent(KEPT)


def documents(tenant_id: UUID, digests: Iterable[str]) -> dict[str, Document]:
    """The tenant's approval and promotion policy documents, by digest; one that is not stored is absent.

    Cost: no statement when all were used lately, else one. A stored text that does not have its digest any more counts
    as absent: the decision was made on another text.
    """
    wanted = set(digests)
    found = {digest: document for digest in wanted if (document := _recent.get((tenant_id, digest))) is not None}
    missing = wanted - found.keys()
    if missing:
        for digest, canonical in _stored(tenant_id, missing):
            if digest not in found and digest_bytes(bytes(canonical)) == digest:
                found[digest] = orjson.loads(canonical)
                _recent.put((tenant_id, digest), found[digest])
    return found


def existing_documents(tenant_id: UUID, digests: Iterable[str]) -> dict[str, Document]:
    """As ``documents``, all of them. PolicyTextMissing where one is absent."""
    wanted = set(digests)
    found = documents(tenant_id, wanted)
    for digest in sorted(wanted - found.keys()):
        raise PolicyTextMissing(digest)
    return found


def _stored(tenant_id: UUID, digests: set[str]) -> Iterable[tuple[str, bytes | memoryview]]:
    of_tenant = {"tenant_id": tenant_id, "digest__in": digests}
    approval = ApprovalPolicyVersion.objects.filter(**of_tenant).order_by().values_list("digest", "canonical")
    promotion = PromotionPolicyVersion.objects.filter(**of_tenant).order_by().values_list("digest", "canonical")
    return approval.union(promotion)
