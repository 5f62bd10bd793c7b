"""Blobs by digest: what records refer to and never repeat (domain.md §0). The ones read last stay in this process."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from promotions.models import Blob

MOST_BYTES: Final = 64 * 1024 * 1024


class _Recent:
    """The blobs used last, of at most `size` bytes together. Safe between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        with self._lock:
            content = self._kept.get(digest)
            if content is not None:
                self._kept.move_to_end(digest)
            return content

    def put(self, digest: str, content: bytes) -> None:
        with self._lock:
            if digest in self._kept or len(content) > self._size:
                return
            self._kept[digest] = content
            self._held += len(content)
            while self._held > self._size:
                _, oldest = self._kept.popitem(last=False)
                self._held -= len(oldest)


_recent = _Recent(MOST_BYTES)


def blobs(digests: Iterable[str]) -> dict[str, bytes]:
    """The contents by digest; one that is not stored is absent. Cost: no statement when all were used lately, else one.

    The caller has made sure that the tenant may see them: blobs have no tenant. The reader compares each content with
    its digest (policies.library).
    """
    wanted = set(digests)
    found = {digest: content for digest in wanted if (content := _recent.get(digest)) is not None}
    missing = wanted - found.keys()
    if missing:
        for digest, stored in Blob.objects.filter(pk__in=missing).values_list("digest", "content"):
            found[digest] = bytes(stored)
            _recent.put(digest, found[digest])
    return found


def store(contents: dict[str, bytes]) -> None:
    """Keeps contents that rows of this transaction name by digest."""
    if contents:
        Blob.objects.bulk_create(
            [Blob(digest=digest, content=content) for digest, content in contents.items()], ignore_conflicts=True
        )
