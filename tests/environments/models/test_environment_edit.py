"""Rows that stay, and those that the migration makes of the audit log."""

import pytest
from django.core.management import call_command
from psycopg.errors import InsufficientPrivilege

from environments.actions.hold_auto_promotion import hold_auto_promotion
from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentEdit
from stellapromote.clock import FixedClock
from tests.database import CommittedDatabase
from tests.environments.world import NOW, make_environment, make_tenant_and_greta


@pytest.mark.parametrize("statement", ["UPDATE {} SET at = now()", "DELETE FROM {}", "TRUNCATE {}"])
def test_rows_stay(committed_db: CommittedDatabase, statement: str) -> None:
    with committed_db.as_owner() as connection, pytest.raises(InsufficientPrivilege, match="append-only"):
        connection.execute(statement.format("environments_environmentedit"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_edits_of_before_are_told_from_the_audit_log(committed_db: CommittedDatabase) -> None:
    _, greta = make_tenant_and_greta()
    for index, name in enumerate(("dev", "staging", "prod")):
        make_environment(greta, name, index)
    dev, prod = Environment.objects.get(name="dev"), Environment.objects.get(name="prod")
    clock = FixedClock(NOW)
    update_environment(by=greta, clock=clock, environment_id=dev.pk, changes={"order_index": 1})
    hold_auto_promotion(prod, hold=True, by=greta, at=NOW, because="a rollback")
    call_command("migrate", "environments", "0003", database="owner", interactive=False, verbosity=0)
    call_command("migrate", "environments", database="owner", interactive=False, verbosity=0)
    names = dict(Environment.objects.values_list("pk", "name"))
    found = [names[row.environment_id] for row in EnvironmentEdit.objects.filter(by_id=greta.account)]
    assert sorted(found) == ["dev", "dev", "prod", "staging", "staging"]
