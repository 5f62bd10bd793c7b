"""What names a promotion repeats its tenant, and what a person stated its requester: the database keeps both."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Vote
from stellapromote.ids import new_id
from tests.factories import make_tenant
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.django_db

# The audit log names what is gone, too, and has a key of its own kind: its chain.
KEYLESS = {"audit_auditevent"}


def refused_by(constraint: str, model: Any, values: dict[str, Any]) -> None:
    """The row is refused by this key, at the latest when its transaction would commit."""

    @transaction.atomic
    def commit() -> None:
        model.objects.create(**values)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match=constraint):
        commit()


def values_of(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize(
    ("model", "constraint", "values"),
    [
        (DecisionRecord, "decisionrecord_as_the_promotion", {"sequence": 99}),
        (EvidencePacket, "evidencepacket_as_the_promotion", {}),
        (OutboxEvent, "outboxevent_as_the_promotion", {}),
    ],
)
def test_no_row_about_a_promotion_is_another_tenants(model: Any, constraint: str, values: dict[str, Any]) -> None:
    kestrel = make_kestrel()
    kestrel.approved_for_production()
    row = model.objects.filter(promotion__isnull=False).first()
    refused_by(constraint, model, {**values_of(row), **values, "id": new_id(), "tenant_id": make_tenant("other").pk})


@pytest.mark.parametrize("field", ["tenant_id", "requester_id"])
def test_a_vote_has_the_tenant_and_the_requester_of_its_promotion(field: str) -> None:
    kestrel = make_kestrel()
    kestrel.approved_for_production()
    vote = Vote.objects.order_by("-at").first()
    assert vote is not None
    stranger = make_tenant("other").pk if field == "tenant_id" else kestrel["admin"].user_id
    values = {**values_of(vote), "id": new_id(), "ended_as": "void", "ended_at": vote.at, field: stranger}
    refused_by("vote_as_the_promotion", Vote, values)


def test_every_table_that_names_a_promotion_and_a_tenant_has_the_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT c.relname, EXISTS (
                SELECT 1 FROM pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid = 'promotions_promotion'::regclass
                  AND p.attnum = ANY (k.conkey) AND t.attnum = ANY (k.conkey))
            FROM pg_class c
            JOIN pg_attribute p ON p.attrelid = c.oid AND p.attname = 'promotion_id'
            JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'
            WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace""")
        found = dict(cursor.fetchall())
    assert {name for name, keyed in found.items() if not keyed} == KEYLESS
    assert "promotions_deployment" in found
