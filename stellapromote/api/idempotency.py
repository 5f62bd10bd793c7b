"""Idempotency-Key on POST (contract.md, idempotency): the same call again is answered, not done, again.

The answer is written in the transaction of the change, so that either both are there or neither is. While the first
call runs, an advisory lock of its transaction tells the second one to come back.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils.crypto import constant_time_compare, salted_hmac

from stellapromote.accounts.actor import Actor
from stellapromote.api.rendering import ApiResponse
from stellapromote.database_clock import TIME
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.fastpath.prepared import Row, fetch, fetch_each, perform
from stellapromote.ids import new_id
from stellapromote.transactions import transactional

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFE = timedelta(hours=24)
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_LOCK = f"SELECT pg_try_advisory_xact_lock(%s), {TIME}"
_STORED = f"""
SELECT body_digest, status, headers, content, created_at, seal FROM api_idempotentanswer
WHERE fingerprint = %s AND created_at > {TIME} - %s::interval
"""  # noqa: S608 - only a constant is put in
# An expired answer under the same key gives way; a live one cannot be there while the lock is held.
_STORE = """
INSERT INTO api_idempotentanswer
    (id, tenant_id, user_id, fingerprint, body_digest, status, headers, content, created_at, seal)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (fingerprint) DO UPDATE SET id = excluded.id, body_digest = excluded.body_digest,
    status = excluded.status, headers = excluded.headers, content = excluded.content, created_at = excluded.created_at,
    seal = excluded.seal
"""
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")


class KeyReused(Conflict):
    code = "RES_IDEMPOTENCY_KEY_REUSED"


class AnswerChanged(KeyReused):
    """The stored answer is not the one that was sent: it was changed beside the product, or an earlier version without
    seals stored it."""

    def __init__(self) -> None:
        super().__init__("The stored answer of this call is not the one given: see what it did, then use a new key.")


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
        text = f"{self.actor.tenant_id} {self._caller} {self.method} {self.path}?{self.query}\n{self.key}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()

    @property
    def _caller(self) -> str:
        """The account, of a machine with its token's issuer: another person with a token for the machine cannot use up
        the keys of its pipeline (docs/adr/0182)."""
        issuer = self.actor.token_issuer_id if self.actor.kind == "service" else None
        return str(self.actor.user_id) if issuer is None else f"{self.actor.user_id} {issuer}"

    @property
    def body_digest(self) -> bytes:
        return hashlib.sha256(self.body).digest()


def checked_key(header: str) -> str:
    """Invalid (400) unless the header is 1 to 255 visible ASCII characters."""
    if not _VISIBLE.fullmatch(header):
        message = "A key is 1 to 255 visible ASCII characters without blanks."
        raise Invalid(f"{HEADER}: {message}", fields=[FieldError(HEADER, message, "invalid")])
    return header


def stored_answer(call: Call) -> ApiResponse | None:
    """The answer of the same call, None where it was not done: to be asked before work that `once` would only undo.

    KeyReused for another body, AnswerChanged for one that was changed since. One statement.
    """
    stored = fetch(_STORED, [call.fingerprint, LIFE])
    return _replay(call, stored[0]) if stored else None


@transactional
def once(call: Call, act: Callable[[], ApiResponse]) -> ApiResponse:
    """The stored answer of the same call, or that of `act`, which runs in this transaction and is then stored.

    What `act` raises is not stored and undoes the transaction. It returns a refusal only if that changed state.
    KeyReused for another body, AnswerChanged for one that was changed since, InProgress while the first call runs.
    """
    fingerprint = call.fingerprint
    key = int.from_bytes(fingerprint[:8], "big", signed=True)
    # Two statements: the lock must be held before the answer is looked for, else a commit between is missed.
    [[is_locked, now]], stored = fetch_each((_LOCK, [key]), (_STORED, [fingerprint, LIFE]))
    if not is_locked:
        raise InProgress()
    if stored:
        return _replay(call, stored[0])
    response = act()
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


def _replay(call: Call, stored: Row) -> ApiResponse:
    first_digest, status, headers, content, created_at, seal = stored
    if bytes(first_digest) != call.body_digest:
        raise KeyReused()
    # Django leaves jsonb as text for its own fields to read.
    kept: dict[str, str] = json.loads(headers)
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    seals = (_seal(call, status, kept, bytes(content), created_at, secret) for secret in secrets)
    if seal is None or not any(constant_time_compare(bytes(seal), each) for each in seals):
        raise AnswerChanged()
    content_type = kept.pop("Content-Type")
    return ApiResponse(bytes(content), status=status, headers={**kept, REPLAYED: "true"}, content_type=content_type)


def _seal(call: Call, status: int, headers: dict[str, str], content: bytes, at: datetime, secret: str) -> bytes:
    """Digests of one length each: no two answers give the same text."""
    said = json.dumps([status, headers, at.astimezone(UTC).isoformat()], sort_keys=True).encode()
    parts = (call.fingerprint, call.body_digest, said, content)
    text = b"".join(hashlib.sha256(part).digest() for part in parts)
    return salted_hmac(__name__, text, secret=secret, algorithm="sha256").digest()


def _store(call: Call, fingerprint: bytes, response: ApiResponse, now: datetime) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    perform(
        _STORE,
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
            _seal(call, response.status_code, headers, response.content, now, settings.SECRET_KEY),
        ],
    )
