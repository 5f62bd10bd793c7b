"""A call that is sent and undone: its answer is documented, and a refusal stores nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from tests.promotions.api.calls import Call, documented
from tests.promotions.api.world import Caller

_TABLES = (
    "promotions_release",
    "promotions_component",
    "promotions_promotion",
    "promotions_vote",
    "promotions_confirmation",
    "promotions_override",
    "promotions_overridereview",
    "promotions_decisionrecord",
    "promotions_evidencepacket",
    "promotions_deployment",
    "promotions_outboxevent",
    "promotions_evidencedocument",
    "promotions_evidencebundle",
    "promotions_feed",
    "promotions_trustedkey",
    "promotions_blob",
    "promotions_webhook",
    "promotions_webhookdelivery",
    "accounts_membership",
    "accounts_rolegrant",
    "accounts_scopegrant",
    "accounts_serviceaccount",
    "accounts_serviceowner",
    "accounts_team",
    "accounts_teamgrant",
    "audit_auditevent",
    "api_idempotentanswer",
)
_COUNTS = " UNION ALL ".join(f"SELECT '{table}', count(*), max(xmin::text::bigint) FROM {table}" for table in _TABLES)


def stored() -> list[Any]:
    """How much is there, and which transaction wrote last."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        return sorted(cursor.fetchall())


@lru_cache
def stored_before() -> list[Any]:
    """As it was at the first call of a test: what each call did is undone."""
    return stored()


@contextmanager
def undone() -> Iterator[None]:
    """A block whose writes are undone; the product takes it for the outside, as it does in every test."""
    with transaction.atomic():
        connection.atomic_blocks[-1]._from_testcase = True  # type: ignore[attr-defined]
        yield
        transaction.set_rollback(True)


def send(caller: Caller, call: Call, place: str, **options: Any) -> tuple[int, str | None]:
    """The status and, for a refusal, its code, checked against the document. What the call did is undone."""
    before = stored_before()
    with undone():
        response = caller.call(call.method, place, **options)
        said = (str(call), options, response.content[:300])
        assert response.status_code < 500, said
        answers = documented(call.method, call.path)
        assert str(response.status_code) in answers, said
        if response.status_code < 400:
            return response.status_code, None
        answer = json.loads(response.content)
        assert set(answer) == {"success", "error", "meta"}
        code = answer["error"]["code"]
        schema = answers[str(response.status_code)]["content"]["application/json"]["schema"]["allOf"][1]
        assert code in schema["properties"]["error"]["properties"]["code"]["enum"], said
        assert connection.needs_rollback or stored() == before, said
    return response.status_code, code
