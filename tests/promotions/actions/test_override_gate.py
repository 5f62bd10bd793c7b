"""Overriding one gate of one promotion (domain.md §6): who may, what it lifts, what is kept of it, and when it ends."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import IntegrityError
from django.http import Http404

from environments.actions.update_environment import update_environment
from environments.actions.update_freeze_window import update_freeze_window
from environments.models import FreezeWindow
from promotions.actions.evaluate import evaluate
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Override, Promotion
from promotions.packets.verifying import known_keys
from promotions.reading.queries import current_record
from promotions.states import Status
from promotions.verification import replay
from promotions.voting.rules import (
    MachinesDoNotVote,
    NotEligible,
    SeparationOfDuties,
    StateForbids,
    SubjectChanged,
)
from promotions.worker.round import run_round
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ScopeGrant, User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.errors import Invalid, ProductError
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.ids import new_id
from stellapromote.signing import dsse
from tests.factories import (
    actor_of,
    actor_of_token,
    make_freeze,
    make_person,
    make_promotion_policy,
    make_service,
    make_token,
)
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db

SHUT = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
    "override": {"by": ["third", "team:security"], "maxHours": 8},
}


@pytest.fixture
def kestrel() -> Kestrel:
    """Production has hours that are over; third and team security may override them."""
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=[SHUT])
    _guard(kestrel, "strict")
    return kestrel


def _guard(kestrel: Kestrel, policy: str) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"promotionPolicy": policy},
    )


def may_override(kestrel: Kestrel, who: str, *, by: str = "admin") -> Actor:
    """The person with promotion:override by name."""
    kestrel.wait()
    user_id = kestrel[who].account
    grant_scope(by=kestrel[by], clock=kestrel.clock, user_id=user_id, scope=PROMOTION_OVERRIDE, reason="On call")
    kestrel.actors[who] = actor_of(User.objects.get(pk=user_id), kestrel.tenant)
    return kestrel[who]


def overrides(kestrel: Kestrel, who: str, promotion: Promotion, gate: str = "hours", **changes: Any) -> Override:
    kestrel.wait()
    hours = changes.pop("hours", 4)
    wanted = {
        "reason": "Payments are down",
        "ticket": "INC-7",
        "expires_at": kestrel.clock.now() + timedelta(hours=hours),
    }
    seen = {name: changes.pop(name) for name in ("seen",) if name in changes}
    return override_gate(
        promotion.pk, OverrideRequest(gate, **{**wanted, **changes}), by=kestrel[who], clock=kestrel.clock, **seen
    )


def why_not(kestrel: Kestrel, who: str, promotion: Promotion, said: str, gate: str = "hours") -> Any:
    """The reasons of the refusal, which says so."""
    with pytest.raises(NotEligible, match=said) as refused:
        overrides(kestrel, who, promotion, gate)
    assert refused.value.details is not None
    return refused.value.details["reasons"]


def gate_of(promotion: Promotion, name: str = "hours") -> Any:
    promotion.refresh_from_db()
    gates = orjson.loads(bytes(current_record(promotion).document))["gates"]
    return next(gate for gate in gates if gate["name"] == name)


def test_a_failing_gate_waits_for_somebody_who_may_override_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert promotion.status == Status.PENDING
    assert gate_of(promotion)["reasonCodes"] == ["OUTSIDE_SCHEDULE", "OVERRIDE_POSSIBLE", "SCHEDULE_ENDED"]


def test_nobody_overrides_in_time_and_it_is_rejected(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait(hours=23)
    assert evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock).status == Status.PENDING
    kestrel.wait(hours=2)
    assert evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock).status == Status.REJECTED


def test_an_override_lets_the_promotion_on(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    gate = gate_of(promotion)
    assert (gate["status"], gate["reasonCodes"]) == ("warn", ["OUTSIDE_SCHEDULE", "OVERRIDDEN", "SCHEDULE_ENDED"])
    assert promotion.status == Status.AWAITING_APPROVAL
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == Status.APPROVED
    assert kestrel.deploys(promotion).status == Status.DEPLOYED
    assert given.authority == "grant"


def test_the_record_names_the_signed_envelope(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    promotion.refresh_from_db()
    record = orjson.loads(bytes(current_record(promotion).document))
    assert record["humanDecisionEnvelopeIds"] == [str(given.pk)]
    keys = {key_id: known.public_key for key_id, known in known_keys().items()}
    statement = orjson.loads(dsse.verify_envelope(orjson.loads(bytes(given.envelope)), keys))
    said = statement["predicate"]
    assert statement["subject"][0]["name"] == "registry.example/app"
    assert {
        name: said[name] for name in ("promotionId", "actorId", "decision", "reason", "ticket", "expiresAtUtc")
    } == {
        "promotionId": str(promotion.pk),
        "actorId": str(kestrel["third"].account),
        "decision": "override",
        "reason": "Payments are down",
        "ticket": "INC-7",
        "expiresAtUtc": rfc3339(given.expires_at),
    }
    assert said["reasonCodes"] == ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"]


def test_every_record_replays_equal(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    records = DecisionRecord.objects.filter(promotion=promotion)
    assert len(records) >= 3
    assert [replay.replay(record).equal for record in records] == [True] * len(records)


def test_it_is_audited_told_and_sent(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    overrides(kestrel, "third", promotion)
    event = OutboxEvent.objects.get(name="gate.overridden")
    assert event.payload["reason"] == "Payments are down"
    assert str(kestrel["approver"].account) in event.payload["told"]


def test_whoever_overrides_does_not_vote_there(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion)
    with pytest.raises(NotEligible):
        kestrel.approves("third", promotion)


def test_the_vote_of_whoever_overrides_is_void(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.approves("third", promotion)
    overrides(kestrel, "third", promotion)
    assert "VOTER_NOT_ELIGIBLE" in gate_of(promotion, "approval")["reasonCodes"]


def test_an_override_that_is_over_authorises_no_start(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion, hours=2)
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == Status.APPROVED
    kestrel.wait(hours=3)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_BLOCKED"
    promotion.refresh_from_db()
    assert promotion.status == Status.PENDING


def test_an_approved_promotion_wakes_when_its_override_ends(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion, hours=2)
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).next_change_at == given.expires_at


def _refusals() -> dict[str, Any]:
    return {
        "requester": SeparationOfDuties,  # asked for it
        "builder": SeparationOfDuties,  # made the release
        "approver": NotEligible,  # holds the right, is not named
        "operator": NotEligible,  # neither
        "admin": NotEligible,  # administrators have no way round
    }


@pytest.mark.parametrize(("who", "refusal"), _refusals().items())
def test_who_may_not(kestrel: Kestrel, who: str, refusal: type[ProductError]) -> None:
    if who in ("requester", "builder", "approver"):
        may_override(kestrel, who)
    promotion = kestrel.waits_for_production()
    with pytest.raises(refusal):
        overrides(kestrel, who, promotion)
    assert not Override.objects.exists()


def test_being_named_without_the_right_is_not_enough(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert why_not(kestrel, "third", promotion, "by name") == ["RIGHT_NOT_GRANTED"]


def test_a_right_granted_by_somebody_excluded_does_not_count(kestrel: Kestrel) -> None:
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["requester"].account, role="admin")
    kestrel.actors["requester"] = actor_of(User.objects.get(pk=kestrel["requester"].account), kestrel.tenant)
    may_override(kestrel, "third", by="requester")
    promotion = kestrel.waits_for_production()
    assert why_not(kestrel, "third", promotion, "excluded") == ["RIGHT_GRANTED_BY_EXCLUDED"]
    kestrel.wait()
    grant = ScopeGrant.objects.get()
    by = kestrel["approver"]
    confirm_grant(by=by, clock=kestrel.clock, user_id=grant.user_id, grant_id=grant.pk)
    assert overrides(kestrel, "third", promotion).authority == "grant"


def test_a_right_by_an_administrator_whom_the_requester_made_does_not_count(kestrel: Kestrel) -> None:
    as_administrator(kestrel, "requester")
    friend = kestrel["viewer"].account
    grant_role(by=kestrel["requester"], clock=kestrel.clock, user_id=friend, role="admin")
    kestrel.actors["viewer"] = actor_of(User.objects.get(pk=friend), kestrel.tenant)
    may_override(kestrel, "third", by="viewer")
    with pytest.raises(NotEligible, match="excluded"):
        overrides(kestrel, "third", kestrel.waits_for_production())


def as_administrator(kestrel: Kestrel, who: str) -> Actor:
    """The person, who may give rights and change freezes from now on."""
    user_id = kestrel[who].account
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=user_id, role="admin")
    kestrel.actors[who] = actor_of(User.objects.get(pk=user_id), kestrel.tenant)
    return kestrel[who]


def on_call(kestrel: Kestrel, who: str, *, by: str) -> None:
    """The person joins team security, which may override the hours."""
    kestrel.wait()
    user_id = kestrel[who].account
    grant_team(by=kestrel[by], clock=kestrel.clock, user_id=user_id, team="security")
    kestrel.actors[who] = actor_of(User.objects.get(pk=user_id), kestrel.tenant)


def test_a_team_that_somebody_excluded_put_them_into_does_not_count(kestrel: Kestrel) -> None:
    as_administrator(kestrel, "requester")
    may_override(kestrel, "operator")
    on_call(kestrel, "operator", by="requester")
    promotion = kestrel.waits_for_production()
    said = "A person who is excluded here put you into the team security"
    assert why_not(kestrel, "operator", promotion, said) == ["TEAM_GRANTED_BY_EXCLUDED"]


@pytest.mark.parametrize("joins", ["before", "after"])
def test_a_team_counts_that_they_were_in_at_the_request(kestrel: Kestrel, joins: str) -> None:
    may_override(kestrel, "operator")
    if joins == "before":
        on_call(kestrel, "operator", by="admin")
        assert overrides(kestrel, "operator", kestrel.waits_for_production()).authority == "grant"
    else:
        promotion = kestrel.waits_for_production()
        on_call(kestrel, "operator", by="admin")
        said = "You joined the team security after this promotion was requested"
        assert why_not(kestrel, "operator", promotion, said) == ["TEAM_GRANTED_AFTER_REQUEST"]


def test_who_is_not_named_is_told_so(kestrel: Kestrel) -> None:
    may_override(kestrel, "operator")
    promotion = kestrel.waits_for_production()
    assert why_not(kestrel, "operator", promotion, "names other people") == ["NOT_NAMED"]


def test_a_right_granted_after_the_request_does_not_count_there(kestrel: Kestrel) -> None:
    earlier = kestrel.waits_for_production()
    may_override(kestrel, "third")
    assert why_not(kestrel, "third", earlier, "after this promotion was requested") == ["RIGHT_GRANTED_AFTER_REQUEST"]
    later = kestrel.waits_for_production()
    assert overrides(kestrel, "third", later).authority == "grant"


def test_a_token_without_the_scope_may_not(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    text = make_token(kestrel.tenant, User.objects.get(username="third"), scopes=["promotion:approve"])
    kestrel.actors["third"] = actor_of_token(text)
    assert why_not(kestrel, "third", promotion, "but this token does not carry it") == ["TOKEN_TOO_NARROW"]


def test_a_service_account_never_may(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    service = make_service(kestrel.tenant, User.objects.get(username="third"), scopes=["promotion:deploy"])
    kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user))
    with pytest.raises(MachinesDoNotVote):
        overrides(kestrel, "machine", promotion)


@pytest.mark.parametrize("gate", ["approval", "preconditions"])
def test_approval_and_preconditions_are_never_overridden(kestrel: Kestrel, gate: str) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    with pytest.raises(StateForbids, match="is never overridden"):
        overrides(kestrel, "third", promotion, gate)


def test_a_gate_that_passes_is_not_overridden(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    with pytest.raises(StateForbids, match="does not block"):
        overrides(kestrel, "third", promotion, "freeze-window")


def test_a_gate_that_is_not_there_is_not_found(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(Http404):
        overrides(kestrel, "third", promotion, "nothing")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"ticket": ""}, "ticket"),
        ({"hours": 9}, "expiresAt"),  # the policy says 8
        ({"hours": -1}, "expiresAt"),
        ({"reason": "x" * 2001}, "reason"),
        ({"ticket": "x" * 201}, "ticket"),
    ],
)
def test_it_needs_reason_ticket_and_an_end_within_the_policys(
    kestrel: Kestrel, changes: dict[str, Any], field: str
) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    with pytest.raises(Invalid) as refused:
        overrides(kestrel, "third", promotion, **changes)
    assert [each.field for each in refused.value.fields] == [field]


def test_after_the_end_of_the_promotion_nothing_is_overridden(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.rejects("approver", promotion)
    with pytest.raises(StateForbids):
        overrides(kestrel, "third", promotion)


def test_a_gate_that_says_more_than_was_seen_is_not_overridden(kestrel: Kestrel) -> None:
    third = may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    now = kestrel.clock.now()
    window = freeze(kestrel, now, exceptions=[third.username])
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    promotion.refresh_from_db()
    saw = promotion.decision_id
    freeze(kestrel, now, exceptions=[third.username])
    with pytest.raises(SubjectChanged) as refused:
        overrides(kestrel, "third", promotion, "freeze-window", decision_id=saw)
    assert (refused.value.details or {})["changed"] == ["gates.freeze-window"]
    assert window.pk


def freeze(kestrel: Kestrel, now: Any, *, by: str = "admin", **options: Any) -> FreezeWindow:
    return make_freeze(
        kestrel[by],
        kestrel.production,
        rfc3339(now),
        rfc3339(now + timedelta(hours=30)),
        clock=kestrel.clock,
        **options,
    )


@pytest.fixture
def frozen() -> tuple[Kestrel, Promotion]:
    """Production under the default policy, frozen, with a promotion waiting; second is excepted."""
    kestrel = make_kestrel()
    promotion = kestrel.waits_for_production()
    freeze(kestrel, kestrel.clock.now(), exceptions=["second"])
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    return kestrel, promotion


def test_who_is_excepted_overrides_the_freeze(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    given = overrides(kestrel, "second", promotion, "freeze-window", hours=20)
    assert given.authority == "exception"
    assert gate_of(promotion, "freeze-window")["status"] == "warn"


def test_an_exception_alone_lets_nobody_through(frozen: tuple[Kestrel, Promotion]) -> None:
    _, promotion = frozen
    assert gate_of(promotion, "freeze-window")["status"] == "pending"


@pytest.mark.parametrize("envelope", [b"{}", b"", None])
def test_a_row_that_nobody_signed_lifts_nothing(kestrel: Kestrel, envelope: bytes | None) -> None:
    """As the login of the web could insert it: with no envelope, or with that of somebody else's override."""
    may_override(kestrel, "second")
    promotion = kestrel.waits_for_production()
    real = overrides(kestrel, "second", promotion)
    assert gate_of(promotion, "hours")["status"] == "warn"
    other = kestrel.waits_for_production()
    Override.objects.create(
        **{field.attname: getattr(real, field.attname) for field in Override._meta.concrete_fields}
        | {
            "id": new_id(),
            "promotion_id": other.pk,
            "decision_id": Promotion.objects.get(pk=other.pk).decision_id,
            "subject_digest": Promotion.objects.get(pk=other.pk).subject_digest,
            "envelope": real.envelope if envelope is None else envelope,
        }
    )
    kestrel.wait()
    evaluate(other.pk, by=kestrel["requester"], clock=kestrel.clock)
    assert gate_of(other, "hours")["status"] != "warn"


def test_who_is_not_excepted_does_not(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    with pytest.raises(NotEligible):
        overrides(kestrel, "third", promotion, "freeze-window")


def test_an_exception_that_somebody_excluded_added_does_not_count(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    as_administrator(kestrel, "requester")
    excepts(kestrel, ["second", "third"], by="requester")
    with pytest.raises(NotEligible, match="excepted you from the freeze"):
        overrides(kestrel, "third", promotion, "freeze-window")
    assert overrides(kestrel, "second", promotion, "freeze-window").authority == "exception"


def test_nor_does_one_that_a_machine_of_theirs_added(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    service = make_service(kestrel.tenant, User.objects.get(username="requester"), scopes=["environment:write"])
    kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user))
    excepts(kestrel, ["second", "third"], by="machine")
    with pytest.raises(NotEligible, match="excepted you from the freeze"):
        overrides(kestrel, "third", promotion, "freeze-window")


def test_an_exception_that_was_taken_back_and_given_again_is_the_last_givers(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    as_administrator(kestrel, "requester")
    excepts(kestrel, [], by="admin")
    excepts(kestrel, ["second"], by="requester")
    with pytest.raises(NotEligible, match="excepted you from the freeze"):
        overrides(kestrel, "second", promotion, "freeze-window")


def excepts(kestrel: Kestrel, usernames: list[str], *, by: str) -> None:
    """Says anew who may override the freeze of production."""
    kestrel.wait()
    confirmed(
        update_freeze_window(
            by=kestrel[by],
            clock=kestrel.clock,
            window_id=FreezeWindow.objects.get().pk,
            environment_id=kestrel.production.pk,
            changes={"exceptions": usernames},
        ),
        kestrel.clock,
    )


def test_an_exception_in_one_of_two_freezes_is_not_enough(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    freeze(kestrel, kestrel.clock.now())
    with pytest.raises(NotEligible):
        overrides(kestrel, "second", promotion, "freeze-window")


def test_a_freeze_that_begins_later_is_not_lifted(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    overrides(kestrel, "second", promotion, "freeze-window")
    freeze(kestrel, kestrel.clock.now(), exceptions=["second"])
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    assert gate_of(promotion, "freeze-window")["status"] == "pending"


def test_a_token_does_not_use_an_exception(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    kestrel.actors["second"] = actor_of_token(make_token(kestrel.tenant, User.objects.get(username="second")))
    said = "You are excepted from this freeze, but no token carries an exception"
    assert why_not(kestrel, "second", promotion, said, gate="freeze-window") == ["TOKEN_TOO_NARROW"]


def test_the_database_refuses_the_requesters_own(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    given.pk = promotion.pk
    given.actor_id = promotion.requested_by_id
    with pytest.raises(IntegrityError, match="override_not_by_requester"):
        given.save(force_insert=True)


def test_a_right_that_ended_gives_no_more(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    ScopeGrant.objects.update(ended_at=kestrel.clock.now() + timedelta(hours=1))
    with pytest.raises(NotEligible):
        overrides(kestrel, "third", promotion)


def test_a_gate_wakes_its_promotions_on_the_day_it_begins_to_block() -> None:
    kestrel = make_kestrel()
    day = (kestrel.clock.now() + timedelta(days=2)).date().isoformat()
    gate = {name: part for name, part in SHUT.items() if name != "override"} | {"effectiveOn": day}
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=[gate])
    _guard(kestrel, "strict")
    promotion = kestrel.approved_for_production()
    assert (promotion.status, gate_of(promotion)["status"]) == (Status.APPROVED, "warn")
    assert promotion.next_change_at == parse_rfc3339(f"{day}T00:00:00.000Z")
    kestrel.wait(days=2)
    run_round("test", kestrel.clock)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.status_reason) == (Status.REJECTED, "OUTSIDE_SCHEDULE")


def test_the_worker_blocks_an_approved_promotion_when_its_override_ends(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion, hours=2)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    kestrel.wait(hours=2)
    run_round("test", kestrel.clock)
    promotion.refresh_from_db()
    assert promotion.status == Status.PENDING
    assert "OVERRIDE_POSSIBLE" in gate_of(promotion)["reasonCodes"]


def test_the_sealed_packet_names_the_human_decision(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    packet = orjson.loads(bytes(EvidencePacket.objects.get(promotion=promotion).document))
    assert packet["content"]["decision"]["humanDecisionEnvelopeIds"] == [str(given.pk)]


def test_whoever_wrote_a_freeze_is_not_excepted_from_it() -> None:
    kestrel = make_kestrel()
    promotion = kestrel.waits_for_production()
    other = actor_of(make_person(kestrel.tenant, "other-admin", roles=["admin"], clock=kestrel.clock), kestrel.tenant)
    window = freeze(kestrel, kestrel.clock.now())
    update_freeze_window(
        by=other,
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.production.pk,
        changes={"exceptions": [kestrel["admin"].username]},
    )
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    with pytest.raises(NotEligible):
        overrides(kestrel, "admin", promotion, "freeze-window")
