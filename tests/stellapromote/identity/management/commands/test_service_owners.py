import re

import pytest
from django.core.management.base import CommandError

from stellapromote.accounts.models import ServiceAccount
from tests.factories import make_person, make_service, make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db

RUNNER = ["--tenant", "kestrel-pay", "--name", "ci-runner"]


@pytest.fixture(autouse=True)
def service() -> ServiceAccount:
    tenant = make_tenant("kestrel-pay")
    make_person(tenant, "ravi")
    return make_service(tenant, make_person(tenant, "tomas"), "ci-runner")


def owners(service: ServiceAccount) -> list[str]:
    return sorted(service.owners.filter(ended_at=None).values_list("owner__username", flat=True))


def test_a_service_changes_hands(service: ServiceAccount) -> None:
    for _ in range(2):
        out, _err = run("add_service_owner", *RUNNER, "--owner", "ravi")
        assert out == "ravi owns ci-runner in kestrel-pay.\n"
        assert owners(service) == ["ravi", "tomas"]
    for _ in range(2):
        out, _err = run("end_service_owner", *RUNNER, "--owner", "tomas", "--reason", "Hands it over")
        assert out == "tomas owns ci-runner in kestrel-pay no more; tokens revoked: 0.\n"
        assert owners(service) == ["ravi"]


@pytest.mark.parametrize("command", ["add_service_owner", "end_service_owner"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*RUNNER, "--owner", "nobody"], "nobody"),
        (["--tenant", "kestrel-pay", "--name", "runner", "--owner", "tomas"], "Services: ci-runner."),
        (["--tenant", "x", "--name", "ci-runner", "--owner", "tomas"], "There is no tenant 'x'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    service: ServiceAccount, command: str, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        run(command, *arguments)
    assert owners(service) == ["tomas"]


def test_the_last_owner_stays(service: ServiceAccount) -> None:
    with pytest.raises(CommandError, match="add another owner first"):
        run("end_service_owner", *RUNNER, "--owner", "tomas")
    assert owners(service) == ["tomas"]
