import re

import pytest
from django.core.management.base import CommandError

from stellapromote.accounts.models import ServiceAccount, Tenant
from tests.factories import make_person, make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

RUNNER = ["--tenant", "kestrel-pay", "--name", "ci-runner"]


@pytest.fixture(autouse=True)
def tenant() -> Tenant:
    tenant = make_tenant("kestrel-pay")
    make_person(tenant, "tomas")
    make_person(tenant, "ravi")
    return tenant


def test_a_service_is_added_with_its_owner_and_scopes() -> None:
    out, _ = run("add_service", *RUNNER, "--owner", "tomas", "--scopes", "promotion:read, promotion:deploy")
    service = ServiceAccount.objects.get()
    assert (service.name, service.scopes) == ("ci-runner", ["promotion:deploy", "promotion:read"])
    assert service.owners.get().owner.username == "tomas"
    assert "kestrel-pay.ci-runner" in out


def test_a_service_may_have_several_owners() -> None:
    run("add_service", *RUNNER, "--owner", "tomas", "--owner", "ravi", "--scopes", "promotion:read")
    assert ServiceAccount.objects.get().owners.count() == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*RUNNER, "--owner", "nobody", "--scopes", "promotion:read"], "Not a member of this tenant: nobody."),
        ([*RUNNER, "--owner", "tomas", "--scopes", "promotion:approve"], "services never vote"),
        ([*RUNNER, "--owner", "tomas", "--scopes", "nonsense"], "'nonsense' is no scope"),
        ([*RUNNER, "--owner", "tomas", "--scopes", ""], "Choose at least one scope"),
        (["--tenant", "kestrel-pay", "--name", "No Slug", "--owner", "tomas", "--scopes", "x"], "--name: Use 1 to 63"),
        (["--tenant", "x", "--name", "y", "--owner", "tomas", "--scopes", "x"], "There is no tenant 'x'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        run("add_service", *arguments)
    assert not ServiceAccount.objects.exists()


def test_a_name_that_is_taken_is_refused() -> None:
    arguments = [*RUNNER, "--owner", "tomas", "--scopes", "promotion:read"]
    run("add_service", *arguments)
    with pytest.raises(CommandError, match="There is a service ci-runner already"):
        run("add_service", *arguments)
