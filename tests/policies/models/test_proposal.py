"""What the database itself refuses about proposals: they are only ended, and not by their author."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from policies.models import Proposal
from stellapromote.accounts.models import Tenant
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.ids import new_id
from tests.database import CommittedDatabase
from tests.factories import make_tenant

AUTHOR = new_id()


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_tenant("kestrel-pay")


def proposal(tenant: Tenant, **fields: Any) -> Proposal:
    at = DATABASE_CLOCK.now()
    given = {
        "kind": "environment.update",
        "resource": "environment",
        "name": "production",
        "arguments": {},
        "weakens": ["Less."],
        "guards": ["production"],
        "digest": "sha256:" + "0" * 64,
        "proposed_at": at,
        "proposed_by_id": AUTHOR,
        "proposed_by_username": "greta",
        "proposed_by_name": "Greta",
        "behind": [AUTHOR],
        "expires_at": at + timedelta(days=14),
        **fields,
    }
    return Proposal.objects.create(tenant=tenant, **given)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("proposal_ended_or_open", {"ended_at": SYSTEM_CLOCK.now()}),
        ("proposal_ended_or_open", {"state": "withdrawn"}),
        ("proposal_ended_or_open", {"state": "other", "ended_at": SYSTEM_CLOCK.now()}),
        (
            "proposal_second_person",
            {"state": "confirmed", "ended_at": SYSTEM_CLOCK.now(), "ended_by_id": AUTHOR},
        ),
    ],
)
def test_a_row_that_cannot_be_is_refused(tenant: Tenant, constraint: str, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        proposal(tenant, **fields)


@pytest.mark.parametrize(
    "changes",
    [
        {"weakens": ["Nothing."]},
        {"arguments": {"changes": {"required_approvals": 0}}},
        {"guards": []},
        {"tag": '"2"'},
        {"behind": []},
        {"expires_at": SYSTEM_CLOCK.now() + timedelta(days=90)},
        {"proposed_by_id": new_id(), "state": "confirmed", "ended_at": SYSTEM_CLOCK.now()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_it_is_only_ended(tenant: Tenant, changes: dict[str, Any]) -> None:
    row = proposal(tenant)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Proposal.objects.filter(pk=row.pk).update(**changes)


def test_one_that_ended_changes_no_more(tenant: Tenant) -> None:
    row = proposal(tenant)
    Proposal.objects.filter(pk=row.pk).update(state="withdrawn", ended_at=DATABASE_CLOCK.now())
    for changes in ({"state": "open", "ended_at": None}, {"state": "confirmed"}):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Proposal.objects.filter(pk=row.pk).update(**changes)


@pytest.mark.parametrize("statement", ["DELETE FROM policies_proposal", "TRUNCATE policies_proposal CASCADE"])
def test_none_is_deleted(committed_db: CommittedDatabase, statement: str) -> None:
    for connect in (committed_db.as_app, committed_db.as_owner):
        with connect() as asking, pytest.raises(Exception, match=r"append-only|permission denied"):
            asking.execute(statement)  # type: ignore[arg-type]
