from collections.abc import Iterator

import pytest

from promotions.actions.record_rows import record_rows
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from tests.promotions.verification.story import rows_found


@pytest.fixture(autouse=True)
def every_change_is_recorded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever the actions did, each row is the one that the audit log tells of."""
    request.getfixturevalue("committed_db" if "committed_db" in request.fixturenames else "db")
    record_rows(by=command_actor(), clock=DATABASE_CLOCK)
    yield
    for tenant in (None, *Tenant.objects.values_list("pk", flat=True)):
        assert rows_found(tenant) == []
