"""The server is fuzzed against its own contract (contract.md): whatever is sent, the answer is in the document."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from promotions.models import ProcessHeartbeat
from stellapromote.accounts.models import ApiToken, RoleGrant, ServiceAccount
from stellapromote.database_clock import DATABASE_CLOCK
from tests.examples import examples
from tests.promotions.api.sending import undone
from tests.promotions.api.world import World, make_world

PEOPLE = ("Members", "Services", "Teams", "Tokens")
TAGS = ("Releases", "Promotions", "Evidence", "Audit", "Operations", *PEOPLE)
EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """The product on the test's own connection, which Django would close between requests, as its test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        return HANDLER(environ, start_response)
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


HANDLER = WSGIHandler()
SCHEMA = schemathesis.openapi.from_wsgi("/api/v1/schema", application)
FOUND: list[Any] = [found.ok() for found in SCHEMA.get_all_operations()]  # type: ignore[union-attr]
OPERATIONS = [operation for operation in FOUND if operation.definition.raw["tags"][0] in TAGS]
#: Who holds the right that a call names.
HOLDERS = {
    "release:write": "ravi",
    "promotion:request": "tomas",
    "promotion:cancel": "tomas",
    "promotion:approve": "nia",
    "promotion:deploy": "ci",
    "audit:read": "idris",
    "tenant:admin": "greta",
}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with django_db_blocker.unblock(), undone():
        ProcessHeartbeat.objects.create(name="one", at=DATABASE_CLOCK.now())
        yield make_world()


@pytest.fixture(scope="module")
def promotions(world: World) -> list[str]:
    return [str(world.waiting().pk), str(world.approved().pk)]


@pytest.fixture(scope="module")
def releases(world: World) -> list[str]:
    return [str(world.release().pk), str(world.release(finalize=False).pk)]


@pytest.fixture(scope="module")
def people(world: World) -> dict[str, list[str]]:
    """What the paths of calls about people name, by their places."""
    nia, machine = world.nia.user, ServiceAccount.objects.get(tenant=world.tenant)
    return {
        "members/{id}": [str(nia.pk), str(world.vera.user.pk)],
        "grants/{id}": [str(each.pk) for each in RoleGrant.objects.filter(user=nia)],
        "services/{id}": [str(machine.pk)],
        "tokens/{id}": [str(each.pk) for each in ApiToken.objects.filter(user=world.vera.user)],
        "user_id": [str(nia.pk)],
        "service_id": [str(machine.pk)],
        "slug": ["release", "security"],
        "username": ["nia", "mei"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_in_the_document(
    world: World, promotions: list[str], releases: list[str], people: dict[str, list[str]], operation: Any
) -> None:
    scope = operation.definition.raw["x-required-scope"]
    holder = HOLDERS.get(scope if isinstance(scope, str) else scope[0], "vera")
    named = {"id": promotions if "/promotions/" in operation.path else releases}
    if operation.definition.raw["tags"][0] in PEOPLE:
        named = {
            place.partition("/{")[2][:-1] or place: ids for place, ids in people.items() if place in operation.path
        }
    named = {name: ids for name, ids in named.items() if f"{{{name}}}" in operation.path}
    # Drawing what `places` replaces takes long, and a case in which only that is wrong would be a right one.
    path = {name: ids[0] for name, ids in named.items()} or None
    negative = schemathesis.GenerationMode.NEGATIVE
    cases = operation.as_strategy(path_parameters=path) | operation.as_strategy(negative, path_parameters=path)

    @seed(47)
    @settings(
        max_examples=examples(EXAMPLES),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, places=st.fixed_dictionaries({name: st.sampled_from(ids) for name, ids in named.items()}))
    def fuzz(case: Any, places: dict[str, str]) -> None:
        case.path_parameters |= places
        with undone():
            case.call_and_validate(
                headers={"Authorization": f"Bearer {world.people[holder].token}"},
                # 503 is an answer of readyz: no worker seals what this world writes.
                checks=CHECKS[1:] if operation.path == "/api/v1/readyz" else CHECKS,
            )

    fuzz()
