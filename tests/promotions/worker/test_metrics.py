"""The figures for Prometheus: their list, their values, and what they cost (docs/adr/0243)."""

import re
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from promotions.models import EvidenceFinding, OutboxMark, ProcessHeartbeat, Promotion, WebhookDelivery
from promotions.worker import outbox
from promotions.worker.figures import FIGURES, figures_as_markdown
from promotions.worker.heartbeats import beat
from promotions.worker.metrics import CONNECT_SECONDS, STATEMENT_SECONDS, figures_as_text
from promotions.worker.webhook_queue import give_places
from stellapromote.accounts.models import Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.front.counts import RequestCounts
from stellapromote.identity.models import Message
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world
from tests.sealing import seal_pending

NOW = DATABASE_CLOCK.now


@pytest.fixture
def world(committed_db: CommittedDatabase) -> Iterator[World]:
    """Committed, as the figures are read on another connection."""
    before = list(ProcessHeartbeat.objects.values())
    ProcessHeartbeat.objects.all().delete()
    yield make_world()
    ProcessHeartbeat.objects.all().delete()
    ProcessHeartbeat.objects.bulk_create(ProcessHeartbeat(**each) for each in before)


def samples() -> dict[tuple[str, ...], float]:
    """Each value by the name and the labels of its series, these in the order of their names."""
    families = text_string_to_metric_families(figures_as_text().decode())
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
    }


def test_the_page_lists_the_figures() -> None:
    assert (settings.BASE_DIR / "docs" / "metrics.md").read_text() == figures_as_markdown()


def test_every_figure_of_the_list_is_answered_in_its_order(world: World) -> None:
    beat("web", ProcessHeartbeat.Role.WEB, NOW())
    answered = re.findall(r"^# TYPE (\S+) (\S+)$", figures_as_text().decode(), re.MULTILINE)
    assert answered == [(figure.name, figure.kind) for figure in FIGURES]


def test_promotions_are_counted_by_the_states_that_are_open_or_deploying(world: World) -> None:
    world.waiting()
    found = samples()
    expected = {status: Promotion.objects.filter(status=status).count() for status in STATES}
    assert expected["awaiting_approval"] >= 1
    assert {status: found["stellapromote_promotions", status] for status in STATES} == expected


STATES = ("approved", "awaiting_approval", "deploying", "pending")


def test_a_promotion_that_is_due_waits_for_the_worker(world: World) -> None:
    waiting = world.waiting()
    for at in (None, NOW() + timedelta(hours=1)):
        Promotion.objects.update(next_change_at=at)
        assert samples()["stellapromote_promotions_due_seconds",] == 0
    Promotion.objects.filter(pk=waiting.pk).update(next_change_at=NOW() - timedelta(seconds=90))
    assert 90 <= samples()["stellapromote_promotions_due_seconds",] < 120


def test_the_worker_reported_so_long_ago(world: World) -> None:
    assert ("stellapromote_worker_report_age_seconds",) not in samples()
    beat("worker", ProcessHeartbeat.Role.WORKER, NOW() - timedelta(minutes=10))
    assert 600 <= samples()["stellapromote_worker_report_age_seconds",] < 630


def test_audit_events_wait_for_their_seal_and_for_the_outbox(world: World) -> None:
    seal_pending()
    for tenant_id in outbox.behind(NOW()):
        outbox.derive(tenant_id, NOW())
    found = samples()
    assert found["stellapromote_audit_events_unsealed",] == found["stellapromote_audit_unsealed_seconds",] == 0
    assert found["stellapromote_outbox_age_seconds",] == 0
    world.waiting()
    found = samples()
    assert found["stellapromote_audit_events_unsealed",] >= 1
    assert 0 < found["stellapromote_audit_unsealed_seconds",] < 60
    seal_pending()
    assert OutboxMark.objects.exists()
    assert 0 < samples()["stellapromote_outbox_age_seconds",] < 60


def test_events_and_deliveries_wait(world: World) -> None:
    webhook = world.greta.ok("POST", "webhooks", {"url": "https://hooks.example.org/"}, status=201)["id"]
    world.waiting()
    assert 0 < samples()["stellapromote_events_age_seconds",] < 60
    give_places(world.tenant.pk, NOW())
    WebhookDelivery.objects.update(due_at=NOW() - timedelta(minutes=5))
    found = samples()
    assert found["stellapromote_events_age_seconds",] == 0
    assert 300 <= found["stellapromote_webhooks_due_seconds",] < 330
    world.greta.ok("PATCH", f"webhooks/{webhook}", {"enabled": False})
    found = samples()
    assert (found["stellapromote_webhooks_due_seconds",], found["stellapromote_webhooks_disabled",]) == (0, 1)


def test_e_mails_wait(world: World) -> None:
    assert samples()["stellapromote_emails_waiting",] == 0
    at = NOW() - timedelta(minutes=5)
    user = User.objects.get(pk=world.nia.user.pk)
    Message.objects.create(user=user, created_at=at, due_at=at)
    Message.objects.create(user=user, created_at=at - timedelta(days=1), sent_at=at)
    found = samples()
    assert found["stellapromote_emails_waiting",] == 1
    assert 300 <= found["stellapromote_emails_age_seconds",] < 330


def test_findings_that_are_gone_are_not_counted(world: World) -> None:
    for place, gone_at in (("record 1", None), ("record 2", NOW())):
        at = NOW()
        EvidenceFinding.objects.create(
            tenant=Tenant.objects.first(), what="RECORD_CHANGED", place=place, message="x", found_at=at, seen_at=at,
            gone_at=gone_at,
        )  # fmt: skip
    assert samples()["stellapromote_evidence_findings",] == 1


def test_what_processes_report_has_their_names(world: World) -> None:
    counts = RequestCounts()
    counts.count("GET", "api/v1/promotions", 200, 0.3)
    counts.count("GET", "api/v1/promotions", 200, 20.0)
    figures = {"process": {"process_cpu_seconds_total": 3.5}, "requests": counts.report()}
    beat("web:1", ProcessHeartbeat.Role.WEB, NOW(), (), figures)
    beat("worker:1", ProcessHeartbeat.Role.WORKER, NOW(), ["seal"], {"process": {"process_open_fds": 7}})
    beat("silent:1", ProcessHeartbeat.Role.WEB, NOW() - timedelta(seconds=61), (), figures)
    ProcessHeartbeat.objects.filter(name="web:1").update(clock_ahead_ms=-2500)
    found = samples()
    series = ("GET", "web:1", "api/v1/promotions", "2xx")
    name = "stellapromote_http_request_duration_seconds"
    assert found[f"{name}_count", *series] == 2
    assert found[f"{name}_sum", *series] == 20.3
    assert (found[f"{name}_bucket", "0.25", *series], found[f"{name}_bucket", "0.5", *series]) == (0, 1)
    assert (found[f"{name}_bucket", "10.0", *series], found[f"{name}_bucket", "+Inf", *series]) == (1, 2)
    assert found["process_cpu_seconds_total", "web:1"] == 3.5
    assert found["process_open_fds", "worker:1"] == 7
    assert found["stellapromote_worker_failing_steps", "worker:1"] == 1
    assert found["stellapromote_process_clock_ahead_seconds", "web:1"] == -2.5
    assert 0 <= found["stellapromote_process_report_age_seconds", "web:1", "web"] < 30
    assert not [each for each in found if "silent:1" in each]


def test_a_report_of_an_earlier_version_has_no_figures(world: World) -> None:
    beat("old:1", ProcessHeartbeat.Role.WEB, NOW())
    assert [each for each in samples() if "old:1" in each] == [
        ("stellapromote_process_report_age_seconds", "old:1", "web"),
        ("stellapromote_process_clock_ahead_seconds", "old:1"),
    ]


@pytest.mark.parametrize(
    "figures",
    [
        [],
        {"process": 1},
        {"requests": {"bounds": [1], "series": [["GET", "a", "2xx", [1], 0.1]]}},
        {"requests": {"series": []}},
    ],
)
def test_figures_in_another_form_are_left_out(world: World, figures: Any) -> None:
    beat("sound:1", ProcessHeartbeat.Role.WEB, NOW(), (), {"process": {"process_open_fds": 7}})
    beat("new:1", ProcessHeartbeat.Role.WEB, NOW(), (), figures)
    found = samples()
    assert found["process_open_fds", "sound:1"] == 7
    assert ("process_open_fds", "new:1") not in found


def test_no_figure_names_a_tenant_a_product_or_a_person(world: World) -> None:
    waiting = world.waiting()
    text = figures_as_text().decode()
    tenants = {name for each in Tenant.objects.all() for name in (each.slug, each.name, str(each.pk))}
    users = {name for each in User.objects.all() for name in (each.username, str(each.pk))}
    release = waiting.release
    values = {each for each in {*tenants, *users, str(waiting.pk), release.name} if each}
    labels = set(re.findall(r'="([^"]*)"', text))
    assert not labels & {*values, release.product, waiting.target_environment.name}
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)


@pytest.mark.parametrize("lost", ["nowhere", "silent", "locked"])
@pytest.mark.slow
def test_without_the_database_the_process_answers_what_it_knows(
    world: World, committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    beat("web:1", ProcessHeartbeat.Role.WEB, NOW(), (), {"process": {"process_open_fds": 7}})
    began = time.monotonic()
    if lost == "nowhere":
        monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
        found = samples()
    elif lost == "silent":
        with socket.create_server(("127.0.0.1", 0)) as takes_connections_alone:
            monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
            monkeypatch.setitem(connection.settings_dict, "PORT", takes_connections_alone.getsockname()[1])
            found = samples()
    else:
        with committed_db.as_owner() as owner, owner.transaction():
            owner.execute("LOCK TABLE promotions_promotion")
            found = samples()
    assert time.monotonic() - began < CONNECT_SECONDS + 2 * STATEMENT_SECONDS
    assert found.pop(("stellapromote_database_up",)) == 0
    names = {name for name, *_ in found}
    assert names <= {figure.name for figure in FIGURES if figure.name.startswith("process_") and figure.kind == "gauge"}
    assert "process_resident_memory_bytes" in names
    assert not [each for each in found if "web:1" in each]


def test_the_database_is_up(world: World) -> None:
    assert samples()["stellapromote_database_up",] == 1
