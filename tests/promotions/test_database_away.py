"""While the database is away or takes no changes, pages and API say so and when to come back, and nothing is a 500."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from promotions.models import Promotion
from promotions.worker import readiness
from stellapromote.accounts.models import ApiToken
from stellapromote.database import errors
from stellapromote.postgresql.embedded import SUPERUSER
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world

pytestmark = pytest.mark.slow

PAGES = ("/", "/approvals", "/promotions", "/nothing/here", "/accounts/login")
CANCEL_WAITING_COMMITS = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def world(committed_db: CommittedDatabase) -> World:
    return make_world()


@pytest.fixture
def nia(world: World) -> Client:
    """With a session, which is the first thing that every page reads."""
    client = Client(raise_request_exception=False)
    client.force_login(world.nia.user)
    assert client.get("/").status_code == 200
    return client


@pytest.fixture
def waiting(world: World) -> Promotion:
    return world.waiting()


@pytest.fixture
def away(world: World, nia: Client) -> Iterator[None]:
    """Nothing listens where the database was."""
    settings = connection.settings_dict
    before = settings["HOST"]
    connection.close()
    settings["HOST"] = "/nowhere"
    yield
    connection.close()
    settings["HOST"] = before


@contextmanager
def connected_read_only(**more: str) -> Iterator[None]:
    settings = connection.settings_dict
    before = settings["OPTIONS"]
    connection.close()
    settings["OPTIONS"] = before | {"options": f"{before['options']} -c default_transaction_read_only=on"} | more
    yield
    connection.close()
    settings["OPTIONS"] = before


@pytest.fixture
def only_standbys(world: World) -> Iterator[None]:
    """Every host of the address is a standby that is not promoted yet, and the address asks for one that is."""
    with connected_read_only(target_session_attrs="read-write"):
        yield


@pytest.fixture
def without_its_standby(nia: Client) -> Iterator[None]:
    """Each commit would wait for a standby that is not there. The tests' server waits for no commit unless asked to."""
    conninfo = django_settings.EMBEDDED_POSTGRES.connection(SUPERUSER).conninfo
    with psycopg.connect(conninfo, autocommit=True) as superuser:
        superuser.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (two)'")
        superuser.execute("SELECT pg_reload_conf()")
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
        yield
        superuser.execute("ALTER SYSTEM RESET synchronous_standby_names")
        superuser.execute("SELECT pg_reload_conf()")
    connection.close()


@pytest.fixture
def read_only(nia: Client) -> Iterator[None]:
    """As a standby that is not promoted yet."""
    with connected_read_only():
        yield


@pytest.fixture
def full_disk(committed_db: CommittedDatabase, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PostgreSQL answers as it does when a table finds no room to grow."""
    monkeypatch.setattr(errors, "_disk_was_full_at", None)
    with committed_db.as_owner() as owner:
        owner.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
        )
        owner.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON promotions_release FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        yield
        owner.execute("DROP FUNCTION full_disk CASCADE")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_503_and_says_when_to_come_back(nia: Client, away: None, path: str) -> None:
    response = nia.get(path)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer now." in response.text
    assert response.headers["Content-Security-Policy"]


def test_the_page_is_there_again_when_the_database_is(nia: Client) -> None:
    before = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    assert nia.get("/").status_code == 503
    connection.settings_dict["HOST"] = before
    assert nia.get("/").status_code == 200


def test_the_api_is_503_likewise(world: World, away: None) -> None:
    for method, path in (("GET", "promotions"), ("POST", "releases")):
        response = world.ravi.call(method, path, None if method == "GET" else {"name": "1"})
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5"), path
        assert response.json()["error"]["code"] == "SYS_UNAVAILABLE"


def test_what_is_read_only_can_be_read(world: World, nia: Client, read_only: None) -> None:
    assert world.vera.call("GET", "promotions").status_code == 200
    assert nia.get("/promotions").status_code == 200


def test_a_change_of_what_is_read_only_is_503_with_the_reason(world: World, nia: Client, read_only: None) -> None:
    response = world.ravi.call("POST", "releases", {"name": "9.9"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "SYS_UNAVAILABLE")
    assert "takes no changes now" in response.json()["error"]["message"]


def test_a_vote_on_a_page_is_503_with_the_reason_while_nothing_can_be_stored(
    world: World, nia: Client, waiting: Promotion, read_only: None
) -> None:
    page = nia.post(f"/promotions/{waiting.pk}/approve", {"subject_digest": waiting.subject_digest})
    assert page.status_code == 503
    assert "takes no changes now" in page.text
    assert waiting.votes.count() == 0


def test_a_limit_of_connections_is_503_with_the_reason(committed_db: CommittedDatabase, world: World) -> None:
    with committed_db.as_superuser() as superuser:
        superuser.execute("ALTER ROLE stellapromote_login CONNECTION LIMIT 0")
        try:
            connection.close()
            refused, ready = world.vera.call("GET", "promotions"), Client().get("/readyz")
        finally:
            superuser.execute("ALTER ROLE stellapromote_login CONNECTION LIMIT -1")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["error"]["message"] == errors.BUSY
    [database] = ready.json()["error"]["details"]["parts"]
    assert database["message"].startswith("The database has no connection free for this process")


def test_a_full_disk_is_503_with_the_reason_and_readiness_says_so_for_a_minute(
    world: World, full_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "disk" not in Client().get("/readyz").text
    refused = world.ravi.call("POST", "releases", {"name": "9.9"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["error"]["message"] == errors.DISK_FULL
    [database, *_] = Client().get("/readyz").json()["error"]["details"]["parts"]
    assert (database["name"], database["ok"]) == ("database", False)
    assert database["message"].startswith("The disk of the database is full")
    monkeypatch.setattr(errors, "_DISK_FULL_SECONDS", 0.0)
    assert "disk" not in Client().get("/readyz").text


def test_readiness_asks_nothing_more_of_a_database_that_went_away_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_it(_: datetime) -> tuple[bool, str]:
        monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
        connection.connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True, "It answers."

    monkeypatch.setitem(readiness._PARTS, "clock", ends_it)
    [database] = Client().get("/readyz").json()["error"]["details"]["parts"]
    assert database["message"] == "The database does not answer: see whether PostgreSQL runs and DATABASE_URL fits."


def test_readiness_says_that_calls_wait_for_a_table(committed_db: CommittedDatabase, world: World) -> None:
    with committed_db.as_owner() as owner, owner.transaction():
        owner.execute("LOCK TABLE accounts_apitoken")
        [database] = Client().get("/readyz").json()["error"]["details"]["parts"]
    assert (database["name"], database["ok"]) == ("database", False)
    assert database["message"].startswith("Calls wait for the table accounts_apitoken,")


def test_readiness_says_that_it_is_read_only(nia: Client, read_only: None) -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    [database] = answer.json()["error"]["details"]["parts"]
    assert (database["name"], database["ok"]) == ("database", False)
    assert "read-only" in database["message"]


def test_readiness_says_that_no_host_takes_changes(only_standbys: None) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    [database] = answer.json()["error"]["details"]["parts"]
    assert database["message"] == (
        "No host of DATABASE_URL takes changes: those that answer are standbys. Promote one, or name the primary."
    )


def test_readiness_says_that_changes_wait_for_a_standby(without_its_standby: None) -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    [database] = answer.json()["error"]["details"]["parts"]
    assert database["message"] == (
        "Every change waits for a synchronous standby, and none is connected: start it, or empty "
        "synchronous_standby_names on the primary."
    )


def test_reading_with_a_token_waits_for_no_standby(
    committed_db: CommittedDatabase, world: World, without_its_standby: None
) -> None:
    """The last use of the token is written before the caller has the answer."""
    token = ApiToken.objects.filter(user=world.vera.user)
    assert token.get().last_used_at is None
    with committed_db.as_superuser() as superuser:
        end = threading.Timer(5, superuser.execute, [CANCEL_WAITING_COMMITS])
        end.start()
        assert world.vera.call("GET", "promotions").status_code == 200
        waited = not end.is_alive()
        end.cancel()
    assert token.get().last_used_at is not None
    assert not waited


def test_readiness_asks_for_no_standby_where_no_commit_waits_for_one(without_its_standby: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = local")
    assert Client().get("/readyz").status_code == 503  # no worker runs here
    assert "standby" not in Client().get("/readyz").text
