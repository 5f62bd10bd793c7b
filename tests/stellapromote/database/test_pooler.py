"""Behind a pooler in transaction mode everything works, and nothing is prepared."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from stellapromote.database.addresses import Timeouts
from stellapromote.database.pooler import keeps_nothing
from stellapromote.postgresql.embedded import LOGIN
from stellapromote.postgresql.roles import APP_ROLE
from tests.database import CommittedDatabase
from tests.promotions.kestrel import make_kestrel

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

CONFIGURATION = """
[databases]
{name} = host={host} port={port} user={user} password={password} connect_query='SET ROLE {role}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = options,extra_float_digits
"""


@pytest.fixture
def pooled(committed_db: CommittedDatabase) -> Iterator[dict[str, Any]]:
    """The settings of the connection, which goes through the pooler until the test ends."""
    if PGBOUNCER is None:
        pytest.skip("There is no pgbouncer: install it to run this test.")
    server = settings.EMBEDDED_POSTGRES.connection(LOGIN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = free.getsockname()[1]
    place = Path(server.host)
    configuration = place / "pgbouncer.ini"  # its account may read here
    configuration.write_text(
        CONFIGURATION.format(
            name=server.dbname, host=server.host, port=server.port, user=server.user, password=server.password,
            role=APP_ROLE, listen=listen,
        )
    )  # fmt: skip
    configuration.chmod(0o644)
    account = place.owner()
    pooler = subprocess.Popen([PGBOUNCER, "-u", account, configuration], stderr=subprocess.DEVNULL)
    database = connection.settings_dict
    before = {name: database[name] for name in ("HOST", "PORT", "OPTIONS")}
    connection.close()
    try:
        _wait_for(listen)
        options = {name: value for name, value in database["OPTIONS"].items() if name != "options"}
        database |= {"HOST": "127.0.0.1", "PORT": str(listen), "OPTIONS": options}
        yield database
    finally:
        connection.close()
        database |= before
        pooler.terminate()
        pooler.wait(timeout=30)
        configuration.unlink()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("pgbouncer did not start")


def test_a_promotion_goes_all_its_way_through_the_pooler(pooled: dict[str, Any]) -> None:
    kestrel = make_kestrel()
    assert kestrel.approved_for_production().status == "approved"
    assert keeps_nothing(connection)


def test_without_a_pooler_statements_are_prepared(committed_db: CommittedDatabase) -> None:
    connection.close()
    connection.ensure_connection()
    assert not keeps_nothing(connection)


def test_readiness_says_that_the_pooler_drops_the_time_outs(pooled: dict[str, Any]) -> None:
    def database_part() -> dict[str, Any]:
        part: dict[str, Any] = Client().get("/readyz").json()["error"]["details"]["parts"][0]
        return part

    assert not database_part()["degraded"]  # none were asked for
    connection.close()
    asked = Timeouts(lock=7, statement=70, idle=30, network=15).of_session
    pooled["OPTIONS"] = pooled["OPTIONS"] | {"options": f"{asked} -c idle_in_transaction_session_timeout=1min"}
    part = database_part()
    assert (part["ok"], part["degraded"]) == (True, True)
    assert "without lock_timeout, statement_timeout as they are set here" in part["message"]
