import pytest

from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.app import App
from tests.promotions.verification.story import make_story


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_story()


@pytest.fixture
def tamper(committed_db: CommittedDatabase) -> Tampering:
    return Tampering(committed_db)


@pytest.fixture
def app(committed_db: CommittedDatabase) -> App:
    return App(committed_db)
