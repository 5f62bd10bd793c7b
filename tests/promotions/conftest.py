from collections.abc import Iterator
from typing import Any

import pytest

from tests.database import CommittedDatabase
from tests.promotions.drawn import Drawn, draw


@pytest.fixture(scope="module", params=range(3))
def drawn_once(request: Any, committed_database: CommittedDatabase, django_db_blocker: Any) -> Iterator[Drawn]:
    with django_db_blocker.unblock():
        try:
            yield draw(committed_database, request.param)
        finally:
            committed_database.reset()


@pytest.fixture
def drawn(drawn_once: Drawn, django_db_blocker: Any) -> Iterator[Drawn]:
    """Drawn promotions, three times; made once for a module, so that its tests only read."""
    with django_db_blocker.unblock():
        yield drawn_once
