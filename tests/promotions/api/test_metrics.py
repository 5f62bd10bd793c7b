"""GET /metrics: who may read it, and that every web process answers for all (docs/adr/0243)."""

import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from promotions.models import ProcessHeartbeat
from stellapromote.environment_variables import EnvironmentVariables, TrustedProxies
from tests.database import CommittedDatabase
from tests.live_server import free_port, served_at
from tests.promotions.api.world import make_world

TOKEN = "a token of the installation, long enough"


def networks(written: str) -> Any:
    return EnvironmentVariables({"NETWORKS": written}).networks("NETWORKS")


def ask(client_address: str = "127.0.0.1", **headers: str) -> Any:
    return Client().get("/metrics", REMOTE_ADDR=client_address, headers=headers)


def assert_refused(answer: Any) -> None:
    assert answer.status_code == 403, answer.content
    assert answer.json()["error"]["code"] == "PERM_METRICS"
    assert "METRICS_ALLOW" in answer.json()["error"]["message"]
    assert b"stellapromote_" not in answer.content


@pytest.mark.django_db
def test_by_default_nobody_reads_it() -> None:
    assert (list(django_settings.METRICS_ALLOW), django_settings.METRICS_TOKEN) == ([], "")
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}, {"Authorization": ""}):
        assert_refused(ask(**headers))


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"])
def test_an_address_in_a_network_reads_it(settings: Any, address: str) -> None:
    settings.METRICS_ALLOW = networks("10.0.0.0/8,2001:db8::/32")
    answer = ask(address)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert list(text_string_to_metric_families(answer.content.decode()))


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["11.1.2.3", "2001:db9::1", ""])
def test_an_address_elsewhere_does_not(settings: Any, address: str) -> None:
    settings.METRICS_ALLOW = networks("10.0.0.0/8,2001:db8::/32")
    assert_refused(ask(address))


@pytest.mark.django_db
def test_behind_a_trusted_proxy_the_address_of_the_client_counts(settings: Any) -> None:
    settings.METRICS_ALLOW, settings.TRUSTED_PROXIES = networks("10.0.0.0/8"), TrustedProxies(count=1)
    assert ask("127.0.0.1", **{"X-Forwarded-For": "10.1.2.3"}).status_code == 200
    assert_refused(ask("10.1.2.3", **{"X-Forwarded-For": "203.0.113.7"}))


@pytest.mark.django_db
@pytest.mark.parametrize("claimed", ["203.0.113.7", "127.0.0.1", "no address", ""])
def test_a_proxy_that_is_not_named_reads_it_for_nobody(settings: Any, claimed: str) -> None:
    """Its own address is in the network, and is that of everybody behind it."""
    settings.METRICS_ALLOW = networks("127.0.0.0/8")
    assert ask().status_code == 200
    assert_refused(ask(**{"X-Forwarded-For": claimed}))


@pytest.mark.django_db
def test_the_token_of_the_installation_reads_it_from_anywhere(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert ask("203.0.113.7", Authorization=f"Bearer {TOKEN}").status_code == 200
    assert ask("203.0.113.7", Authorization=f"bearer {TOKEN}").status_code == 200
    for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer ü"):
        assert_refused(ask("203.0.113.7", Authorization=wrong))


def test_no_right_of_a_tenant_reads_it(committed_db: CommittedDatabase, settings: Any) -> None:
    """Its administrators would see what other tenants do."""
    settings.METRICS_TOKEN = TOKEN
    world = make_world()
    for caller in (world.greta, world.idris):
        assert_refused(ask(Authorization=f"Bearer {caller.token}"))
        client = Client()
        client.force_login(caller.user)
        assert_refused(client.get("/metrics"))


@pytest.mark.django_db
def test_it_takes_what_prometheus_sends(settings: Any) -> None:
    settings.METRICS_ALLOW = networks("127.0.0.0/8")
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
    assert ask(Accept=accept).status_code == 200
    assert Client().post("/metrics").status_code == 405
    assert Client().get("/metrics?x=1").json()["error"]["code"] == "VAL_UNKNOWN_PARAMETER"


def test_it_answers_without_the_database(
    committed_db: CommittedDatabase, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the check of the caller nor any middleware asks it."""
    settings.METRICS_TOKEN = TOKEN
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    answer = ask(Authorization=f"Bearer {TOKEN}")
    assert_refused(ask())
    connection.close()
    assert answer.status_code == 200
    assert "\nstellapromote_database_up 0.0\n" in answer.content.decode()


NAME = "stellapromote_http_request_duration_seconds"
ROUTE = "cli/stella.sha256"
ASKED = 40


def scrape(url: str) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
    }


@pytest.mark.slow
def test_each_web_process_answers_for_all_and_no_count_goes_back(
    committed_db: CommittedDatabase, tmp_path: Path
) -> None:
    others = set(ProcessHeartbeat.objects.values_list("name", flat=True))
    with served_at(free_port(), tmp_path / "server.log", METRICS_ALLOW="127.0.0.0/8") as (url, _):
        for _ in range(ASKED):
            with urllib.request.urlopen(f"{url}/{ROUTE}", timeout=10) as answer:
                assert answer.status == 200
        before: dict[tuple[str, ...], float] = {}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = scrape(url)
            counters = {key: found[key] for key in found if key[0].endswith(("_count", "_bucket", "_total", "_sum"))}
            assert [key for key in before if counters.get(key, 0) < before[key]] == []
            before = counters
            of_route = {key[2]: value for key, value in found.items() if key[0] == f"{NAME}_count" and ROUTE in key}
            mine = {process: value for process, value in of_route.items() if process not in others}
            if sum(mine.values()) == ASKED and len(mine) == 2:
                break
            time.sleep(0.25)
        assert (sum(mine.values()), len(mine)) == (ASKED, 2)
        assert found["stellapromote_database_up",] == 1
        for process in mine:
            assert found["process_resident_memory_bytes", process] > 1_000_000
            scrapes = [value for key, value in found.items() if key[:4] == (f"{NAME}_count", "GET", process, "metrics")]
            assert len(scrapes) == 1
