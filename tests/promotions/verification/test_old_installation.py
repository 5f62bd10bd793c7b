"""A database of before, with rows in every table of the demo, is migrated and goes on (kept_from_1_0)."""

import lzma
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from environments.models import Environment, EnvironmentEdit
from environments.paths import required
from promotions.actions.approve import approve
from promotions.actions.evaluate import reevaluate
from promotions.actions.rereading import Rereader
from promotions.judging.packet_content import installation_id
from promotions.models import Promotion, Release
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Product, RoleGrant, TeamGrant, Tenant, User
from stellapromote.clock import FixedClock
from stellapromote.postgresql.embedded import OWNER, SUPERUSER
from tests.database import CommittedDatabase, register_signing_key
from tests.factories import actor_of

pytestmark = pytest.mark.slow

NAME = "kept_from_1_0"
LATER = FixedClock(datetime(2026, 11, 30, 13, 30, tzinfo=UTC))
"""Soon after the demo was told."""
INSTALLATION = Path(__file__).parent / NAME / "installation.sql.xz"


# In the demo every grant comes from the command line.
_GIVEN_ON_A_PAGE = """
SET session_replication_role = replica;
UPDATE public.accounts_rolegrant SET granted_by_id = (SELECT id FROM public.accounts_user WHERE username = 'greta')
WHERE user_id = (SELECT id FROM public.accounts_user WHERE username = 'idris')
"""


@pytest.fixture(scope="module")
def installation(committed_database: CommittedDatabase, django_db_blocker: Any) -> Iterator[None]:
    """The old installation, migrated, in the place of the tests' database."""
    server = settings.EMBEDDED_POSTGRES
    names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    name = sql.Identifier(NAME)
    with django_db_blocker.unblock():
        with committed_database.as_superuser() as superuser:
            owner = sql.Identifier(server.connection(OWNER).user)
            superuser.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
        with psycopg.connect(server.connection(SUPERUSER).conninfo, dbname=NAME, autocommit=True) as restored:
            restored.execute(lzma.decompress(INSTALLATION.read_bytes()))
            restored.execute(_GIVEN_ON_A_PAGE)
        _forget()
        try:
            for alias in names:
                connections[alias].settings_dict["NAME"] = NAME
            call_command("migrate", database="owner", interactive=False, verbosity=0)
            yield
        finally:
            _forget()
            for alias, before in names.items():
                connections[alias].settings_dict["NAME"] = before
            with committed_database.as_superuser() as superuser:
                superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _forget() -> None:
    """What this process knows of a database."""
    connections.close_all()
    installation_id.cache_clear()


@pytest.fixture
def migrated(installation: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def said(command: str) -> list[str]:
    output = StringIO()
    call_command(command, stdout=output)
    return output.getvalue().splitlines()


def test_everything_that_was_stored_holds(migrated: None) -> None:
    assert said("verify_evidence") == ["kestrel-pay: 40 promotions, 0 findings", "Tenants verified: 1"]
    assert said("replay_decisions")[0] == "kestrel-pay: 72 decisions, 72 equal, 0 different, 0 not replayable"
    heads = [line.partition(", head ")[0] for line in said("verify_audit_log")]
    assert heads[:2] == ["(system): intact, 2 events", "kestrel-pay: intact, 360 events"]


def test_each_product_that_a_release_names_is_there(migrated: None) -> None:
    [tenant] = Tenant.objects.all()
    made = Product.objects.filter(tenant=tenant)
    first = dict(Release.objects.filter(tenant=tenant).order_by("-created_at").values_list("product", "created_at"))
    assert len(first) > 1
    assert dict(made.values_list("slug", "created_at")) == {**first, "main": tenant.created_at}
    assert set(made.values_list("version", "archived_at", "description")) == {(1, None, "")}


def test_what_stood_directly_before_production_is_on_every_path(migrated: None) -> None:
    environments = list(Environment.objects.live().in_order())
    assert {each.required_on_every_path for each in environments} == {None}
    production = [place for place, each in enumerate(environments) if each.is_production]
    assert production
    expected = {environments[place - 1].pk for place in production if place}
    assert required(environments) == expected != set()
    assert set(Product.objects.values_list("path", flat=True)) == {None}
    assert set(EnvironmentEdit.objects.values_list("product", flat=True)) <= {""}


def test_grants_of_before_say_where_they_were_made_and_under_which_role(migrated: None) -> None:
    roles = RoleGrant.objects.exclude(user__username="idris")
    for grants in (roles, TeamGrant.objects.all()):
        assert set(grants.values_list("granted_via", "granted_under")) == {("command", None)}
    under = RoleGrant.objects.get(user__username="greta", role="admin")
    assert set(RoleGrant.objects.filter(user__username="idris").values_list("granted_via", "granted_under")) == {
        ("page", under.pk)
    }


def test_what_waited_goes_on(migrated: None) -> None:
    """A vote of before and one of now count together; documents of before are read again, and a new key signs."""
    register_signing_key()
    tenant = Tenant.objects.get(slug="kestrel-pay")
    waiting = Promotion.objects.get(status="awaiting_approval")
    voter = actor_of(User.objects.get(pk=waiting.open_voters[0]), tenant)
    voted = approve(waiting.pk, by=voter, clock=LATER)
    assert (voted.status, voted.approvals_given) == ("pending", 2)
    assert [gate["message"].partition(",")[0] for gate in voted.gates if gate["status"] != "pass"] == [
        "An older version of StellaPromote has read some of the documents"
    ]
    assert Rereader().read_due(LATER) > 0
    assert reevaluate(waiting.pk, by=command_actor(tenant), clock=LATER).status == "approved"
    assert said("verify_evidence") == ["kestrel-pay: 40 promotions, 0 findings", "Tenants verified: 1"]
    assert "0 different, 0 not replayable" in said("replay_decisions")[0]
