"""Idempotency-Key on POST (api.md, idempotency): the same call again is answered, not done, again.

The answer is written in the transaction of the change, so that either both are there or neither is. While the first
call runs, an advisory lock of its transaction tells the second one to come back.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from stellapromote.accounts.actor import Actor
from stellapromote.api.rendering import ApiResponse
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.ids import new_id
from stellapromote.transactions import transactional

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFE = timedelta(hours=24)
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")


class KeyReused(Conflict):
    code = "RES_IDEMPOTENCY_KEY_REUSED"


class InProgress(Conflict):
    code = "RES_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Call:
    """One POST: what its key is bound to."""

    actor: Actor
    method: str
    path: str
    query: str
    key: str
    body: bytes

    @property
    def fingerprint(self) -> bytes:
        # The key comes last and has no blanks: no two calls give the same text.
        text = f"{self.actor.tenant_id} {self.actor.user_id} {self.method} {self.path}?{self.query}\n{self.key}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()

    @property
    def body_digest(self) -> bytes:
        return hashlib.sha256(self.body).digest()


def checked_key(header: str) -> str:
    """Invalid (400) unless the header is 1 to 255 visible ASCII characters."""
    if not _VISIBLE.fullmatch(header):
        message = "A key is 1 to 255 visible ASCII characters without blanks."
        raise Invalid(f"{HEADER}: {message}", fields=[FieldError(HEADER, message, "invalid")])
    return header


@transactional
def once(call: Call, perform: Callable[[], ApiResponse]) -> ApiResponse:
    """The stored answer of the same call, or that of `perform`, which runs in this transaction and is then stored.

    What `perform` raises is not stored and undoes the transaction. It returns a refusal only if that changed state.
    KeyReused for another body, InProgress while the first call runs.
    """
    fingerprint = call.fingerprint
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(fingerprint[:8], "big", signed=True)])
        if not cursor.fetchone()[0]:
            raise InProgress()
        now = SYSTEM_CLOCK.now()
        # A statement of its own: the lock must be held before its snapshot is taken, else a commit between is missed.
        cursor.execute(
            "SELECT body_digest, status, headers, content FROM api_idempotentanswer"
            " WHERE fingerprint = %s AND created_at > %s",
            [fingerprint, now - LIFE],
        )
        stored = cursor.fetchone()
    if stored is not None:
        return _replay(stored, call.body_digest)
    response = perform()
    if not response.secret:
        _store(call, fingerprint, response, now)
    return response


def forget_expired(now: datetime, *, limit: int = 1000) -> int:
    """Deletes answers older than 24 hours, at most `limit` of them; how many it deleted. For the worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM api_idempotentanswer WHERE id IN ("
            " SELECT id FROM api_idempotentanswer WHERE created_at <= %s"
            " ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)",
            [now - LIFE, limit],
        )
        deleted: int = cursor.rowcount
        return deleted


def _replay(stored: tuple[bytes, int, str, bytes], body_digest: bytes) -> ApiResponse:
    first_digest, status, headers, content = stored
    if bytes(first_digest) != body_digest:
        raise KeyReused()
    # Django leaves jsonb as text for its own fields to read.
    kept: dict[str, str] = json.loads(headers)
    content_type = kept.pop("Content-Type")
    return ApiResponse(bytes(content), status=status, headers={**kept, REPLAYED: "true"}, content_type=content_type)


def _store(call: Call, fingerprint: bytes, response: ApiResponse, now: datetime) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    with connection.cursor() as cursor:
        # An expired answer under the same key gives way; a live one cannot be there while the lock is held.
        cursor.execute(
            "INSERT INTO api_idempotentanswer"
            " (id, tenant_id, user_id, fingerprint, body_digest, status, headers, content, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (fingerprint) DO UPDATE SET id = excluded.id, body_digest = excluded.body_digest,"
            " status = excluded.status, headers = excluded.headers, content = excluded.content,"
            " created_at = excluded.created_at",
            [
                new_id(),
                call.actor.tenant_id,
                call.actor.user_id,
                fingerprint,
                call.body_digest,
                response.status_code,
                json.dumps(headers),
                response.content,
                now,
            ],
        )
