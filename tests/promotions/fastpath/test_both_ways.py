"""A vote without a lock stores what the same vote under the lock stores, byte for byte (docs/adr/0133)."""

import os
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from django.db import connection
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Promotion
from promotions.voting import at_once as at_once_module
from stellapromote import ids
from stellapromote.errors import ProductError
from stellapromote.signing import signatures
from tests.database import CommittedDatabase
from tests.examples import examples
from tests.kept import kept
from tests.promotions.kestrel import Kestrel, make_kestrel

TABLES = (
    "promotions_promotion",
    "promotions_vote",
    "promotions_decisionrecord",
    "promotions_evidencepacket",
    "promotions_outboxevent",
    "audit_auditevent",
)
PEOPLE = ("approver", "second", "third", "builder", "requester", "operator")
ACTS = ("approve", "approve", "approve", "approve with a comment", "withdraw", "reject", "wait")

histories = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE)), min_size=2, max_size=6)


@kept
def make_waiting() -> tuple[Kestrel, Promotion]:
    kestrel = make_kestrel()
    return kestrel, kestrel.waits_for_production()


@pytest.fixture
def database(committed_db: CommittedDatabase) -> CommittedDatabase:
    """One whose world has the same ids each time: it is put back from the third time on."""
    for _ in range(2):
        committed_db.reset()
        make_waiting()
    return committed_db


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_both_ways_store_the_same(database: CommittedDatabase, history: list[tuple[str, str]]) -> None:
    assert stored(database, history, at_once=True) == stored(database, history, at_once=False)


def stored(
    database: CommittedDatabase, history: list[tuple[str, str]], *, at_once: bool
) -> tuple[list[str], dict[str, list[Any]]]:
    """What each act was answered, and every row afterwards. Ids, salts and signatures are the same each time."""
    database.reset()
    kestrel, promotion = make_waiting()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "urandom", Random(1).randbytes)  # noqa: S311 - alike is what they are to be
        generator = ids.Uuid7Generator(lambda: 2_000_000_000_000)
        generator._random.seed(1)
        patched.setattr(ids, "_generate", generator)
        patched.setattr(signatures, "_ECDSA_SHA256", ECDSA(SHA256(), deterministic_signing=True))
        if not at_once:
            patched.setattr(at_once_module, "without_lock_first", lambda _, under_lock: under_lock())
        answers = [act(kestrel, promotion, *each) for each in history]
    with connection.cursor() as cursor:
        rows: dict[str, list[Any]] = {}
        for table in TABLES:
            cursor.execute(f"SELECT to_json(r) FROM {table} r ORDER BY id")
            rows[table] = [row for (row,) in cursor.fetchall()]
    return answers, rows


def act(kestrel: Kestrel, promotion: Promotion, kind: str, who: str) -> str:
    try:
        match kind:
            case "approve":
                return kestrel.approves(who, promotion).status
            case "approve with a comment":
                return kestrel.approves(who, promotion, comment="Read, and fine").status
            case "withdraw":
                return withdraw_approval(promotion.pk, by=kestrel[who], clock=kestrel.clock).status
            case "reject":
                return kestrel.rejects(who, promotion).status
    except (ProductError, Http404) as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    kestrel.wait(hours=1)
    return ""
