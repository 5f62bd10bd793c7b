"""Events reach receivers over HTTP: signed, in order, at least once (docs/adr/0244 to 0246)."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError

from environments.actions.update_environment import update_environment
from policies.models import ApprovalPolicy
from policies.outbound import allowed
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.webhooks import add_webhook, change_webhook, end_webhook, rotate_secret, send_again, send_test
from promotions.models import OutboxEvent, Promotion, Webhook, WebhookDelivery
from promotions.worker import webhook_queue as queue
from promotions.worker.round import run_round, tidy
from promotions.worker.webhooks import OF_ONE_WEBHOOK, Sender
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from tests.factories import make_approval_policy, make_product
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.receiver import Received, Receiver, receiver

pytestmark = pytest.mark.django_db
VOTED = ["promotion.requested", "approval.granted", "approval.granted", "promotion.approved"]


@pytest.fixture(scope="module")
def one_receiver() -> Iterator[Receiver]:
    with receiver() as takes:
        yield takes


@pytest.fixture
def takes(one_receiver: Receiver, settings: Any) -> Receiver:
    settings.OUTBOUND_ALLOW = allowed(["127.0.0.0/8"])
    one_receiver.received.clear()
    one_receiver.answer = lambda _: 204
    return one_receiver


@pytest.fixture
def kestrel(takes: Receiver) -> Kestrel:
    return make_kestrel()


def hook(kestrel: Kestrel, takes: Receiver, **fields: Any) -> tuple[Webhook, str]:
    made = add_webhook(by=kestrel["admin"], clock=kestrel.clock, **{"url": takes.url, **fields})
    return made.webhook, made.secret


def sends(kestrel: Kestrel, sender: Sender | None = None) -> Sender:
    """Sends what is due until nothing is left to do."""
    sender = sender or Sender(kestrel.clock)
    for _ in range(200):
        if not (sender.send_some(patience=5) or sender._under_way):
            return sender
    raise AssertionError("it never ends")


def deliveries(**found: Any) -> list[WebhookDelivery]:
    return list(WebhookDelivery.objects.filter(**found).order_by("sequence"))


def answers(*statuses: int, **headers: str) -> Any:
    """These in turn, and then 204."""
    left = list(statuses)
    return lambda _: (left.pop(0), {name.replace("_", "-"): text for name, text in headers.items()}) if left else 204


def approved(kestrel: Kestrel) -> Promotion:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    return kestrel.approves("second", promotion)


def test_the_official_library_takes_it_and_it_is_a_cloudevent(kestrel: Kestrel, takes: Receiver) -> None:
    _, secret = hook(kestrel, takes, events=["promotion.requested"], environments=["production"])
    promotion = kestrel.waits_for_production()
    kestrel.clock.advance(datetime.now(UTC) - kestrel.clock.now())
    sends(kestrel)
    [got] = takes.received
    StandardWebhook(secret).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(secret).verify(got.body + b" ", got.headers)
    event = from_http_event(HTTPMessage(got.headers, got.body))
    data = event.get_data()
    assert isinstance(data, dict)
    assert (event.get_type(), event.get_subject()) == ("stellapromote.promotion.requested", str(promotion.pk))
    assert event.get_id() == data["id"] == got.headers["webhook-id"]
    assert (data["promotionId"], data["product"], data["outOfOrder"]) == (str(promotion.pk), "main", False)
    assert data["sequence"] == OutboxEvent.objects.get(pk=data["id"]).sequence


def test_both_secrets_sign_for_a_day_after_a_rotation(kestrel: Kestrel, takes: Receiver) -> None:
    webhook, old = hook(kestrel, takes)
    new = rotate_secret(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk).secret
    kestrel.clock.advance(datetime.now(UTC) - kestrel.clock.now())
    Webhook.objects.update(previous_until=kestrel.clock.now() + timedelta(minutes=1))
    for after, secrets in ((0, {old, new}), (2, {new})):
        kestrel.wait(minutes=after)
        send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
        sends(kestrel)
        got = takes.received[-1]
        assert {each for each in (old, new) if is_signed(got, each)} == secrets


def is_signed(got: Received, secret: str) -> bool:
    try:
        StandardWebhook(secret).verify(got.body, got.headers)
    except WebhookVerificationError:
        return False
    return True


def test_the_events_of_a_promotion_come_in_their_order(kestrel: Kestrel, takes: Receiver) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    hook(kestrel, takes, events=VOTED)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    sends(kestrel)
    assert takes.names == VOTED[1:]
    assert [got.event["data"]["outOfOrder"] for got in takes.received] == [False] * 3


def test_the_next_event_waits_for_the_one_before_until_that_is_taken(kestrel: Kestrel, takes: Receiver) -> None:
    takes.answer = answers(500)
    hook(kestrel, takes, events=["approval.granted"], environments=["production"])
    approved(kestrel)
    sender = sends(kestrel)
    assert (len(takes.received), [each.status for each in deliveries()]) == (1, ["waiting", "waiting"])
    kestrel.wait(seconds=30)
    sends(kestrel, sender)
    first, second = deliveries()
    assert (first.status, first.attempts, second.status) == ("delivered", 2, "delivered")
    ids = [got.headers["webhook-id"] for got in takes.received]
    assert ids == [str(first.event_id), str(first.event_id), str(second.event_id)]
    assert [got.event["data"]["outOfOrder"] for got in takes.received] == [False, False, False]


def test_after_an_hour_it_is_sent_out_of_order(kestrel: Kestrel, takes: Receiver) -> None:
    hook(kestrel, takes, events=["approval.granted"], environments=["production"])
    failing: list[str] = []

    def answer(got: Received) -> int:
        failing[:] = failing or [got.headers["webhook-id"]]
        return 500 if got.headers["webhook-id"] in failing else 204

    takes.answer = answer
    approved(kestrel)
    sender = sends(kestrel)
    for _ in range(3):
        kestrel.wait(minutes=21)
        sends(kestrel, sender)
    first, second = deliveries()
    assert (first.status, second.status, second.out_of_order) == ("waiting", "delivered", True)
    takes.answer = lambda _: 204
    kestrel.wait(hours=7)
    sends(kestrel, sender)
    [last] = deliveries(pk=first.pk)
    assert (last.status, last.out_of_order, takes.received[-1].event["data"]["outOfOrder"]) == ("delivered", True, True)


def test_what_is_not_taken_in_three_days_has_failed_and_the_next_goes_on(kestrel: Kestrel, takes: Receiver) -> None:
    takes.answer = lambda _: (503, {})
    hook(kestrel, takes, events=["promotion.requested"], environments=["production"])
    kestrel.waits_for_production()
    sender = sends(kestrel)
    spans: list[timedelta] = []
    while (found := deliveries()[0]).status == "waiting" and len(spans) < 40:
        spans.append(found.due_at - kestrel.clock.now())
        kestrel.clock.advance(spans[-1])
        sends(kestrel, sender)
    assert found.status == "failed"
    assert (found.response_status, found.response_excerpt) == (503, "Said")
    assert timedelta(seconds=4) <= spans[0] <= timedelta(seconds=6)
    assert timedelta(hours=4.8) <= spans[-1] <= timedelta(hours=7.2)
    assert timedelta(days=2.5) < kestrel.clock.now() - found.created_at < timedelta(days=3)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("1800", 1800, 1800), ("999999", 21600, 21600), ("soon", 4, 6), ("-5", 4, 6), ("9" * 50, 4, 6)],
)
def test_the_receiver_says_when_to_come_again_within_six_hours(
    kestrel: Kestrel, takes: Receiver, said: str, least: int, most: int
) -> None:
    takes.answer = answers(429, Retry_After=said)
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    sends(kestrel)
    [found] = deliveries()
    assert least <= (found.due_at - kestrel.clock.now()).total_seconds() <= most


def test_a_receiver_that_is_gone_gets_nothing_more(kestrel: Kestrel, takes: Receiver) -> None:
    takes.answer = lambda _: (410, {})
    webhook, _ = hook(kestrel, takes, events=["promotion.requested"])
    kestrel.waits_for_production()
    sends(kestrel)
    webhook.refresh_from_db()
    assert "410" in webhook.disabled_reason
    told = AuditEvent.objects.get(action="webhook.disabled")
    assert (told.actor_type, str(told.resource_id)) == ("system", str(webhook.pk))
    kestrel.wait(hours=1)
    asked = len(takes.received)
    sends(kestrel)
    assert len(takes.received) == asked


@pytest.mark.parametrize(
    ("status", "told"), [(302, "no redirect is followed"), (404, "answered 404"), (500, "answered 500")]
)
def test_only_an_answer_of_success_is_one(kestrel: Kestrel, takes: Receiver, status: int, told: str) -> None:
    takes.answer = lambda _: (status, {"Location": takes.url + "/other"})
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    sends(kestrel)
    [found] = deliveries()
    assert (found.status, found.response_status, [got.path for got in takes.received]) == ("waiting", status, ["/hook"])
    assert told in found.problem


def test_an_address_that_is_not_allowed_any_more_is_not_called(
    kestrel: Kestrel, takes: Receiver, settings: Any
) -> None:
    webhook, _ = hook(kestrel, takes)
    settings.OUTBOUND_ALLOW = allowed([])
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    sends(kestrel)
    [found] = deliveries()
    assert (found.status, found.response_status, takes.received) == ("waiting", None, [])
    assert "open internet" in found.problem


def test_a_worker_that_dies_leaves_a_delivery_that_is_sent_again(kestrel: Kestrel, takes: Receiver) -> None:
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    [claimed] = queue.claim(webhook.pk, kestrel.clock.now(), 8).deliveries
    assert queue.claim(webhook.pk, kestrel.clock.now(), 8).deliveries == []
    sends(kestrel)
    assert takes.received == []
    kestrel.wait(seconds=61)
    sends(kestrel)
    assert len(takes.received) == 1
    queue.note(claimed, queue.Outcome("Not taken."), kestrel.clock)
    assert [each.status for each in deliveries()] == ["delivered"]


def test_the_attempt_whose_claim_ran_out_does_not_end_the_claim_of_another(kestrel: Kestrel, takes: Receiver) -> None:
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    [late] = queue.claim(webhook.pk, kestrel.clock.now(), 8).deliveries
    kestrel.wait(seconds=61)
    [other] = queue.claim(webhook.pk, kestrel.clock.now(), 8).deliveries
    queue.note(late, queue.Outcome("Not taken."), kestrel.clock)
    assert deliveries()[0].claimed_until == other.claimed_until
    queue.note(late, queue.Outcome(status=204), kestrel.clock)
    assert deliveries()[0].status == "delivered"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"dev", "staging", "production"}),
        ({"environments": ["staging"]}, {"staging"}),
        ({"products": ["ledger"]}, set()),
        ({"products": ["main", "ledger"], "environments": ["dev"]}, {"dev"}),
    ],
)
def test_a_webhook_gets_the_events_that_it_is_for(
    kestrel: Kestrel, takes: Receiver, fields: dict[str, Any], expected: set[str]
) -> None:
    make_product(kestrel.tenant, "ledger")
    hook(kestrel, takes, events=["promotion.requested"], **fields)
    kestrel.waits_for_production()
    sends(kestrel)
    assert {got.event["data"]["targetEnvironmentName"] for got in takes.received} == expected


def test_an_environment_is_told_of_whatever_the_products(kestrel: Kestrel, takes: Receiver) -> None:
    make_product(kestrel.tenant, "ledger")
    for environment in ("dev", "staging"):
        hook(kestrel, takes, events=["environment.updated"], products=["ledger"], environments=[environment])
    changes = {"display_name": "Bird"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    kestrel.wait(seconds=1)
    run_round("worker", kestrel.clock)
    sends(kestrel)
    [got] = takes.received
    assert (got.name, got.event["data"]["name"]) == ("environment.updated", "dev")


def test_no_tenant_gets_the_events_of_another(kestrel: Kestrel, takes: Receiver) -> None:
    other = make_kestrel("heron", prefix="heron-")
    hook(other, takes)
    kestrel.waits_for_production()
    sends(kestrel)
    assert takes.received == []


def test_events_before_the_webhook_and_while_it_is_disabled_are_not_sent(kestrel: Kestrel, takes: Receiver) -> None:
    release = kestrel.release()
    kestrel.ask(release, kestrel.dev)
    kestrel.wait()
    webhook, _ = hook(kestrel, takes)
    enable = {"by": kestrel["admin"], "clock": kestrel.clock, "webhook_id": webhook.pk}
    change_webhook(**enable, changes={"enabled": False})
    kestrel.reaches_staging()
    sends(kestrel)
    change_webhook(**enable, changes={"enabled": True})
    sends(kestrel)
    assert takes.received == []


def test_a_deleted_webhook_gets_nothing_that_waits(kestrel: Kestrel, takes: Receiver) -> None:
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    ended = end_webhook(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    sends(kestrel)
    assert (takes.received, ended.secret) == ([], "")


def test_a_delivery_is_sent_again_with_the_same_id_and_waits_for_no_other(kestrel: Kestrel, takes: Receiver) -> None:
    webhook, _ = hook(kestrel, takes, events=["approval.granted"], environments=["production"])
    approved(kestrel)
    sends(kestrel)
    first, _ = deliveries()
    kestrel.wait()
    send_again(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk, delivery_id=first.pk)
    sends(kestrel)
    assert [got.headers["webhook-id"] for got in takes.received].count(str(first.event_id)) == 2
    assert takes.received[-1].event["data"]["outOfOrder"]


def test_a_blind_vote_is_sent_as_a_number(kestrel: Kestrel, takes: Receiver) -> None:
    hook(kestrel, takes, events=["approval.granted"], environments=["production"])
    policy = ApprovalPolicy.objects.get(name="two-person")
    update_approval_policy(by=kestrel["admin"], clock=kestrel.clock, policy_id=policy.pk, changes={"blind": True})
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    sends(kestrel)
    [got] = takes.received
    data = got.event["data"]
    assert data["approvals"] == {"required": 2, "given": 1}
    assert data.keys().isdisjoint({"actor", "voteId", "comment", "roles", "teams"})
    assert kestrel["approver"].username not in got.body.decode()


def test_a_poisoned_event_waits_and_stops_no_other(kestrel: Kestrel, takes: Receiver) -> None:
    hook(kestrel, takes)
    now = kestrel.clock.now()
    poisoned = OutboxEvent.objects.create(
        tenant=kestrel.tenant, name="policy.published", payload=["no object"], created_at=now
    )
    unknown = OutboxEvent.objects.create(tenant=kestrel.tenant, name="no.event", payload={}, created_at=now)
    kestrel.ask(kestrel.release(), kestrel.dev)
    sends(kestrel)
    assert "promotion.requested" in takes.names
    for each in (poisoned, unknown):
        [found] = deliveries(event_id=each.pk)
        assert (found.status, found.problem) == ("waiting", "The event cannot be written as a message.")


def test_a_tenant_whose_events_cannot_be_placed_stops_no_other(
    kestrel: Kestrel, takes: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_kestrel("heron", prefix="heron-")
    hook(kestrel, takes)
    kestrel.ask(kestrel.release(), kestrel.dev)
    other.ask(other.release(), other.dev)
    give_places = queue.give_places

    def fails(tenant_id: UUID, now: datetime) -> int:
        if tenant_id == other.tenant.pk:
            raise ValueError("a poisoned row")
        return give_places(tenant_id, now)

    monkeypatch.setattr(queue, "give_places", fails)
    sender = sends(kestrel)
    assert takes.received
    assert ("webhooks: events", other.tenant.pk) in sender.steps.resting


@pytest.fixture
def silent(takes: Receiver) -> Iterator[str]:
    """The address of a receiver that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as never:
        yield f"http://127.0.0.1:{never.getsockname()[1]}/"


def test_a_receiver_that_never_answers_delays_no_other(
    kestrel: Kestrel, takes: Receiver, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promotions.worker.webhooks.SECONDS", 60.0)
    never, _ = hook(kestrel, takes, url=silent)
    hook(kestrel, takes)
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    sender = Sender(kestrel.clock)
    while "promotion.completed" not in takes.names:
        assert sender.send_some(patience=0.05) or sender._under_way
    assert {each.webhook_id for each in sender._under_way.values()} >= {never.pk}
    assert {each.status for each in deliveries(webhook=never)} == {"waiting"}


def test_a_receiver_that_does_not_answer_has_one_place(
    kestrel: Kestrel, takes: Receiver, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promotions.worker.webhooks.SECONDS", 1.0)
    webhook, _ = hook(kestrel, takes, url=silent)
    for _ in range(OF_ONE_WEBHOOK + 4):
        send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    sender = Sender(kestrel.clock)
    sender.send_some()
    assert len(sender._under_way) == OF_ONE_WEBHOOK
    while len(sender._under_way) >= OF_ONE_WEBHOOK or any(each.done() for each in sender._under_way):
        sender.send_some()
    assert len(sender._under_way) <= 1
    assert {each.problem for each in deliveries() if each.attempted_at and not each.claimed_until} == {
        "Not taken: no complete answer within 1 s."
    }


def test_a_secret_that_cannot_be_read_is_told(kestrel: Kestrel, takes: Receiver, settings: Any) -> None:
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    settings.SECRET_KEY = "another key of this installation"
    sends(kestrel)
    [found] = deliveries()
    assert (takes.received, found.status) == ([], "waiting")
    assert "another secret" in found.problem


def test_deliveries_go_with_their_events(kestrel: Kestrel, takes: Receiver) -> None:
    webhook, _ = hook(kestrel, takes)
    send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    tidy(FixedClock(kestrel.clock.now() + timedelta(days=4)))
    assert [each.status for each in deliveries()] == ["failed"]
    tidy(FixedClock(kestrel.clock.now() + timedelta(days=31)))
    assert (deliveries(), OutboxEvent.objects.filter(name="webhook.tested").exists()) == ([], False)


def test_a_vote_is_told_after_its_own_transaction_alone(kestrel: Kestrel, takes: Receiver) -> None:
    hook(kestrel, takes)
    kestrel.ask(kestrel.release(), kestrel.dev)
    assert set(OutboxEvent.objects.values_list("sequence", flat=True)) == {None}
    assert deliveries() == []


def test_events_have_places_without_a_gap(kestrel: Kestrel, takes: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_EVENTS", 3)
    make_approval_policy(kestrel["admin"], "another", clock=kestrel.clock)
    approved(kestrel)
    sends(kestrel)
    rows = list(OutboxEvent.objects.order_by("created_at", "pk").values_list("sequence", flat=True))
    assert rows == list(range(1, len(rows) + 1))
    assert len(rows) > 3


def test_what_cannot_be_noted_together_is_noted_one_by_one(
    kestrel: Kestrel, takes: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _ = hook(kestrel, takes)
    for _ in range(2):
        send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    together = queue._NOTE_TAKEN
    monkeypatch.setattr(queue, "_NOTE_TAKEN", together.replace("smallint", "uuid"))
    sends(kestrel)
    assert [each.status for each in deliveries()] == ["delivered", "delivered"]
