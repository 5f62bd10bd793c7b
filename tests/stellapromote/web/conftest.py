import pytest
from django.test import Client

from stellapromote.accounts.models import User
from tests.factories import make_person, make_tenant
from tests.signed_in import signed_in


@pytest.fixture
def nia(db: None) -> User:
    """An approver of one tenant."""
    return make_person(make_tenant("kestrel-pay", name="Kestrel Pay"), "nia", roles=["approver"])


@pytest.fixture
def as_nia(client: Client, nia: User) -> Client:
    return signed_in(nia, client)
