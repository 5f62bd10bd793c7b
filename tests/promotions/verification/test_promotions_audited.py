"""What only the audit log tells of promotions: whatever of it is changed beside the product, a verification names."""

import orjson
import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.confirm import confirm
from promotions.actions.evaluate import reevaluate
from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Promotion
from promotions.models import state as promotion_state
from promotions.verification.audited import check_release_status
from promotions.verification.mismatch import MismatchKind
from promotions.verification.tenants import check_tenants
from promotions.worker.round import run_round
from promotions.worker.verifier import Verifier
from stellapromote.accounts.actor import system_actor
from stellapromote.audit.models import AuditEvent
from stellapromote.signing.canonical_json import canonical_bytes
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.recorded_story import make_recorded_story
from tests.promotions.verification.signing import signed_again
from tests.promotions.verification.story import apart, found_after, found_in, numbered

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_recorded_story()


def test_nothing_is_found_where_nothing_was_changed(kestrel: Kestrel) -> None:
    assert [numbered(number).status for number in range(7, 13)] == [
        "rejected", "deployed", "awaiting_approval", "deployed", "rolled_back", "awaiting_approval",
    ]  # fmt: skip
    assert found_in(kestrel) == []


PROMOTION, RECORD, PACKET = "promotions_promotion", "promotions_decisionrecord", "promotions_evidencepacket"
VOTE, REPORT, REVIEW = "promotions_vote", "promotions_deployment", "promotions_overridereview"
EVENT = "audit_auditevent"
OTHER = "sha256:" + "e" * 64
THIRD = "(SELECT id FROM accounts_user WHERE username = 'third')"
SECOND = "(SELECT id FROM accounts_user WHERE username = 'second')"
RELEASE = "(SELECT release_id FROM promotions_promotion WHERE number = 3)"


def of(number: int) -> str:
    return f"promotion_id = (SELECT id FROM promotions_promotion WHERE number = {number})"


def again(table: str, where: str, changes: str = "") -> str:
    """The same row once more under a new id, with other columns."""
    return f"""INSERT INTO {table} SELECT (jsonb_populate_record(o,
        jsonb_build_object('id', gen_random_uuid() {changes}))).* FROM {table} o WHERE {where}"""


def columns(number: int, *changes: str) -> list[tuple[str, set[int | None], str, str]]:
    return [
        (f"UPDATE {PROMOTION} SET {change} WHERE number = {number}", {number}, "PROMOTION_CHANGED", "state")
        for change in changes
    ]


ROWS: list[tuple[str, set[int | None], str, str]] = [
    *columns(
        5, "status = 'cancelled'", "status = 'deployed', approved_at = decided_at, completed_at = decided_at, "
        "evidence_packet_id = evidence_packet_id", "status_reason = ''", "status_detail = 'Fine'",
        "decided_at = decided_at + interval '1 day'",
    ),
    *columns(
        3, "approval_expires_at = approval_expires_at + interval '60 days'", "approved_at = now()",
        "pending_expires_at = pending_expires_at + interval '1 day'", "approval_ttl_seconds = 1",
        "supersedes_older = NOT supersedes_older", "blind = NOT blind", "excluded_persons = '{}'",
        "requesting_persons = '{}'", "requested_with_token = gen_random_uuid()", "version = version - 1",
        "triggered_by_id = (SELECT id FROM promotions_promotion WHERE number = 1)",
    ),
    *columns(
        2, "status = 'failed'", "status = 'rolled_back'", "completed_at = now()", "started_at = now()", "attempt = 5",
        "deployment_lock = ''", "deployment_due_at = now()",
        "evidence_bundle_id = (SELECT id FROM promotions_evidencebundle LIMIT 1)",
        f"evidence_bundle_digest = '{OTHER}'",
    ),
    *columns(11, "retry_closed = true"),
    (f"DELETE FROM {EVENT} WHERE action = 'promotion.requested' AND {of(3)}", {3}, "PROMOTION_CHANGED", "request"),
    (f"UPDATE {PROMOTION} SET requested_with_token = gen_random_uuid() WHERE number = 3", {3}, "PROMOTION_CHANGED",
     "request, tokenId"),
    (f"UPDATE {PROMOTION} SET requested_by_id = {THIRD} WHERE number = 12", {12}, "PROMOTION_CHANGED",
     "request, actorId"),
    (again(EVENT, f"action = 'promotion.requested' AND {of(3)}"), {3}, "PROMOTION_CHANGED", "request"),
    (f"UPDATE {VOTE} SET ended_at = at + interval '1 ms', ended_as = 'withdrawn' WHERE {of(2)}", {2}, "ACT_CHANGED",
     "vote"),
    (f"UPDATE {VOTE} SET ended_as = 'void' WHERE ended_as = 'withdrawn' AND {of(7)}", {7}, "ACT_CHANGED", "vote"),
    (f"UPDATE {VOTE} SET ended_as = 'withdrawn' WHERE ended_as = 'void' AND {of(9)}", {9}, "ACT_CHANGED", "vote"),
    (f"UPDATE {VOTE} SET ended_at = ended_at + interval '1 s' WHERE ended_as = 'replaced'", {7}, "ACT_CHANGED", "vote"),
    (f"UPDATE {VOTE} SET ended_at = at, ended_as = 'withdrawn' WHERE verdict = 'reject' AND {of(5)}", {5},
     "ACT_CHANGED", "vote"),
    (f"DELETE FROM {VOTE} WHERE ended_as = 'withdrawn'", {7}, "ACT_CHANGED",
     "approval.withdrawn at "),
    (f"UPDATE {VOTE} SET ended_at = NULL, ended_as = '' WHERE ended_as = 'void'", {9}, "ACT_CHANGED",
     "approval.voided at "),
    ("UPDATE promotions_confirmation SET ended_at = NULL, ended_as = ''", {12}, "ACT_CHANGED",
     "approval.withdrawn at "),
    (f"DELETE FROM {EVENT} WHERE action = 'approval.withdrawn' AND {of(12)}", {12}, "ACT_CHANGED", "confirmation"),
    (again(EVENT, f"action = 'approval.granted' AND {of(2)}"), {2}, "ACT_CHANGED", "vote"),
    (again(EVENT, "action = 'gate.overridden'"), {6}, "ACT_CHANGED", "override"),
    ("UPDATE promotions_override SET review_due_at = review_due_at + interval '1 day'", {6}, "ACT_CHANGED", "override"),
    (f"DELETE FROM {RECORD} WHERE sequence = 3 AND {of(3)}", {3}, "RECORD_CHANGED", "record "),
    (f"UPDATE {RECORD} SET id = gen_random_uuid() WHERE sequence = 2 AND {of(3)}", {3}, "RECORD_CHANGED", "record 2"),
    (f"DELETE FROM {EVENT} WHERE action = 'evidence.packet_created' AND {of(3)}", {3}, "PACKET_CHANGED", "packet "),
    (f"DELETE FROM {PACKET} WHERE type = 'rollback'", {11}, "PACKET_CHANGED", "packet "),
    (again(EVENT, f"action = 'evidence.packet_created' AND {of(3)}"), {3}, "PACKET_CHANGED", "packet "),
    (f"UPDATE {REPORT} SET reported_at = reported_at - interval '1 s' WHERE status = 'started' AND {of(2)}", {2},
     "PACKET_MISPLACED", "packet "),
    (f"UPDATE {REPORT} SET reported_by_username = 'bex' WHERE status = 'started' AND {of(2)}", {2},
     "PROMOTION_CHANGED", "report 1 started"),
    (f"UPDATE {REPORT} SET reported_with_token_issuer_id = {THIRD} WHERE {of(2)}", {2}, "PROMOTION_CHANGED",
     "report 1 succeeded"),
    (f"UPDATE {REPORT} SET url = 'https://other.example' WHERE status = 'started' AND {of(11)}", {11},
     "PROMOTION_CHANGED", "report 1 started"),
    (f"UPDATE {REPORT} SET run_id = 'ci-8' WHERE status = 'started' AND {of(11)}", {11}, "PROMOTION_CHANGED",
     "report 1 started"),
    (f"UPDATE {REPORT} SET run_id = 'ci-8' WHERE status = 'succeeded' AND {of(2)}", {2}, "PROMOTION_CHANGED",
     "report 1 succeeded"),
    (f"UPDATE {REPORT} SET message = 'All' WHERE status = 'started' AND {of(11)}", {11}, "PROMOTION_CHANGED",
     "report 1 started"),
    (f"UPDATE {REPORT} SET manifest_reported = true WHERE status = 'started' AND {of(11)}", {11}, "PROMOTION_CHANGED",
     "report 1 started"),
    (f"DELETE FROM {REPORT} WHERE status = 'started' AND attempt = 1 AND {of(11)}", {11}, "PROMOTION_CHANGED",
     "report 1 started"),
    (again(REPORT, f"status = 'started' AND {of(2)}", ", 'attempt', 2"), {2}, "PROMOTION_CHANGED", "report 2 started"),
    (f"UPDATE {REVIEW} SET verdict = 'justified'", {6}, "ACT_CHANGED", "review of override "),
    (f"UPDATE {REVIEW} SET comment = 'It was not'", {6}, "ACT_CHANGED", "review of override "),
    (f"UPDATE {REVIEW} SET reviewer_id = {SECOND}", {6}, "ACT_CHANGED", "review of override "),
    (f"DELETE FROM {REVIEW}", {6}, "ACT_CHANGED", "review of override "),
    (f"DELETE FROM {EVENT} WHERE action = 'override.reviewed'", {6}, "ACT_CHANGED", "review of override "),
    (f"UPDATE {VOTE} SET ended_reason = 'EXCLUDED' WHERE ended_as = 'void'", {9}, "ACT_CHANGED", "vote"),
    (f"UPDATE {VOTE} SET ended_reason = 'EXCLUDED' WHERE ended_as = 'withdrawn'", {7}, "ACT_CHANGED", "vote"),
    (f"UPDATE {VOTE} SET tenant_id = gen_random_uuid() WHERE username = 'second' AND {of(3)}", {3},
     "PROMOTION_CHANGED", "vote "),
    (f"UPDATE {RECORD} SET tenant_id = gen_random_uuid() WHERE {of(3)}", {3}, "PROMOTION_CHANGED", "record 1, tenant"),
    (f"UPDATE {REPORT} SET tenant_id = gen_random_uuid() WHERE {of(2)}", {2}, "PROMOTION_CHANGED", "report 1 started"),
    (f"UPDATE {REVIEW} SET tenant_id = gen_random_uuid()", {6}, "PROMOTION_CHANGED", "review of "),
    (f"UPDATE promotions_release SET description = 'New' WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED",
     "release, description"),
    (f"UPDATE promotions_release SET created_at = now() WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED",
     "release, createdAt"),
    (f"UPDATE promotions_component SET semver = '9.9.9' WHERE release_id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED",
     "release, semvers.app"),
    (f"UPDATE {PROMOTION} SET approvals_given = approvals_given + 1 WHERE number = 12", {12}, "PROMOTION_CHANGED",
     "gates"),
    (f"UPDATE {PROMOTION} SET approvals_required = 9 WHERE number = 3", {3}, "PROMOTION_CHANGED", "gates"),
    (f"UPDATE {PROMOTION} SET blocked_by = '{{}}' WHERE number = 12", {12}, "PROMOTION_CHANGED", "gates"),
    *(
        (f"UPDATE promotions_override SET envelope = convert_to({change}, 'UTF8')", {6}, "OVERRIDE_CHANGED", "override")
        for change in (
            "convert_from(envelope, 'UTF8') || ' '",
            "'{\"payload\":\"e30=\",' || substr(convert_from(envelope, 'UTF8'), 2)",
            "'{\"note\":\"e30=\",' || substr(convert_from(envelope, 'UTF8'), 2)",
            (
                "replace(convert_from(envelope, 'UTF8'), '\"signatures\":[',"
                " '\"signatures\":[{\"keyid\":\"x\",\"sig\":\"eA==\"},')"
            ),
            "replace(convert_from(envelope, 'UTF8'), '\"keyid\":', '\"note\":1,\"keyid\":')",
        )
    ),
    ("UPDATE promotions_override SET signing_key_id = 'sha256:x'", {6}, "OVERRIDE_CHANGED", "override"),
    (f"UPDATE promotions_release SET status = 'deprecated' WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED",
     "release, status"),
    (f"UPDATE promotions_release SET status_reason = 'Old' WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED",
     "release, status"),
    (f"UPDATE promotions_release SET created_by_name = 'Bex' WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED",
     "release, createdByName"),
    (f"UPDATE promotions_release SET created_with_token_issuer_id = {THIRD} WHERE id = {RELEASE}", {1, 2, 3},
     "RELEASE_CHANGED", "release, createdWithTokenIssuer"),
    (again(EVENT, f"action = 'release.finalized' AND release_id = {RELEASE}"), {1, 2, 3}, "RELEASE_CHANGED", "release"),
    (f"DELETE FROM {EVENT} WHERE action = 'release.finalized' AND release_id = {RELEASE}", {1, 2, 3},
     "RELEASE_CHANGED", "release"),
]  # fmt: skip


TOGETHER = apart(ROWS, lambda row: row[1])


@pytest.mark.parametrize("rows", TOGETHER, ids=[each[0][0][:90] for each in TOGETHER])
def test_a_changed_row_is_found(
    kestrel: Kestrel, tamper: Tampering, rows: list[tuple[str, set[int | None], str, str]]
) -> None:
    for statement, *_ in rows:
        tamper.run(statement)
    found = found_after(" ".join(statement for statement, *_ in rows), kestrel)
    assert {number for number, _, _ in found} == set().union(*(numbers for _, numbers, _, _ in rows))
    for statement, numbers, what, place in rows:
        of_it = [at for number, code, at in found if number in numbers and code == what]
        assert any(at.startswith(place) for at in of_it), (statement, found)


def test_a_release_that_was_changed_after_it_was_finalized_is_found_beside_an_event_of_an_update(
    kestrel: Kestrel, tamper: Tampering
) -> None:
    """A draft is updated, and what is finalized is not."""
    tamper.run(f"UPDATE promotions_release SET contributors = '{{}}' WHERE id = {RELEASE}")
    finalized = f"action = 'release.finalized' AND release_id = {RELEASE}"
    tamper.run(again(EVENT, finalized, ", 'action', 'release.updated', 'after', after || '{\"contributors\": []}'"))
    assert {each[:2] for each in found_in(kestrel)} == {(number, "RELEASE_CHANGED") for number in (1, 2, 3)}


def test_the_newest_promotion_is_missed_though_the_counter_was_set_back(kestrel: Kestrel, tamper: Tampering) -> None:
    newest = Promotion.objects.latest("number").number
    tamper.run(f"DELETE FROM {PROMOTION} WHERE number = {newest}")
    tamper.run(f"UPDATE promotions_promotioncounter SET last_number = {newest - 1}")
    assert found_in(kestrel) == [(None, "PROMOTION_MISSING", f"promotion #{newest}")]


def test_a_later_request_that_nobody_made_hides_no_promotion_that_is_gone(kestrel: Kestrel, tamper: Tampering) -> None:
    newest = Promotion.objects.latest("number").number
    tamper.run(f"DELETE FROM {PROMOTION} WHERE number = {newest}")
    tamper.run(f"UPDATE promotions_promotioncounter SET last_number = {newest - 1}")
    later = ", 'timestamp', '2999-01-01', 'promotion_id', NULL"
    tamper.run(again(EVENT, "action = 'promotion.requested' AND metadata ->> 'number' = '1'", later))
    assert (None, "PROMOTION_MISSING", f"promotion #{newest}") in found_in(kestrel)


def test_a_counter_that_was_set_far_ahead_is_a_finding_at_once(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE promotions_promotioncounter SET last_number = 2000000000")
    assert [place for _, _, place in found_in(kestrel)][:2] == ["promotion #13", "promotion #14"]


@pytest.mark.parametrize("number", [-1, 0, 3])
def test_a_promotion_whose_number_no_rule_allows_is_verified(kestrel: Kestrel, tamper: Tampering, number: int) -> None:
    """A superuser drops the rules. The walk met numbers from 1 on, and each once."""
    rule = "promotion_number_unique_per_tenant"
    with tamper.database.as_superuser() as session:
        session.execute(f"ALTER TABLE {PROMOTION} DROP CONSTRAINT {rule}")  # type: ignore[arg-type]
    try:
        tamper.run(again(PROMOTION, "number = 5", f", 'number', {number}"))
        found = found_in(kestrel)
    finally:
        tamper.run(f"DELETE FROM {PROMOTION} o WHERE NOT EXISTS (SELECT FROM {EVENT} e WHERE e.promotion_id = o.id)")
        with tamper.database.as_superuser() as session:
            session.execute(f"ALTER TABLE {PROMOTION} ADD CONSTRAINT {rule} UNIQUE (tenant_id, number)")  # type: ignore[arg-type]
    assert (number, "PROMOTION_CHANGED", "request") in found


def test_an_event_of_no_chain_that_is_verified_tells_of_no_vote(kestrel: Kestrel, tamper: Tampering) -> None:
    """The vote is given once more in the name of another, with an event of a tenant that is not there."""
    vote, second = "01a2294d-0000-7000-8000-000000000000", f"{of(3)} AND username = 'second'"
    ended = f", 'id', '{vote}', 'voter_id', {THIRD}, 'username', 'third', 'display_name', 'Third', 'ended_at', at"
    tamper.run(again(VOTE, second, f"{ended}, 'ended_as', 'void'"))
    elsewhere = ", 'tenant_id', gen_random_uuid()"
    given = f"'actor_id', {THIRD}, 'actor_name', 'Third (third)', 'metadata', metadata || '{{\"voteId\": \"{vote}\"}}'"
    tamper.run(again(EVENT, f"action = 'approval.granted' AND {of(3)}", f"{elsewhere}, {given}"))
    found = found_in(kestrel)
    assert (3, "ACT_CHANGED", f"vote {vote}") in found
    assert [each.what for each in check_tenants()] == ["TENANT_MISSING"] * 2


def test_a_packet_that_was_signed_again_is_not_the_one_that_was_made(kestrel: Kestrel, tamper: Tampering) -> None:
    """What no row tells, such as whether the environment was a production one, the key could sign otherwise."""
    packet = EvidencePacket.objects.get(promotion=numbered(3))
    document, envelope = signed_again(packet, lambda content: content["environment"].update(isProduction=False))
    content_hash = orjson.loads(document)["contentHash"]
    assert content_hash != packet.content_hash
    changes = "document = %s, envelope = %s, content_hash = %s"
    tamper.run(f"UPDATE {PACKET} SET {changes} WHERE id = %s", [document, envelope, content_hash, packet.pk])
    assert found_in(kestrel) == [(3, "PACKET_CHANGED", f"packet {packet.pk}")]


def test_the_packet_of_a_deployment_names_the_record_that_let_it_start(kestrel: Kestrel, tamper: Tampering) -> None:
    """The row said another start when the packet was signed, so it names a record that let nothing start."""
    promotion = kestrel.reports(numbered(3), "started")
    waited = DecisionRecord.objects.get(promotion=promotion, sequence=1)
    tamper.run(f"UPDATE {PROMOTION} SET started_at = %s WHERE number = 3", [waited.evaluated_at])
    kestrel.reports(promotion, "succeeded")
    packet = EvidencePacket.objects.get(promotion=promotion, type="deployment")
    assert packet.decision_id == waited.pk
    found = found_in(kestrel)
    assert (3, "PACKET_MISPLACED", f"packet {packet.pk}, content.execution.startedAt") in found
    assert (3, "PROMOTION_CHANGED", "state") in found


def test_a_promotion_that_was_reopened_is_found_after_it_went_on(kestrel: Kestrel, tamper: Tampering) -> None:
    """The events of what followed tell the row as it then was: what they began with was left by no event."""
    rejected = numbered(5)
    tamper.run(f"UPDATE {PROMOTION} SET status = 'awaiting_approval', decided_at = NULL WHERE number = 5")
    tamper.run(f"UPDATE {VOTE} SET ended_at = now(), ended_as = 'withdrawn' WHERE {of(5)}")
    assert kestrel.deploys(kestrel.approves("third", rejected)).status == "deployed"
    assert (5, "PROMOTION_CHANGED", "state") in found_in(kestrel)


def test_a_finding_stays_though_the_promotion_is_judged_again_with_it(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(f"UPDATE {PROMOTION} SET pending_expires_at = pending_expires_at + interval '1 day' WHERE number = 12")
    for _ in range(2):
        kestrel.wait()
        reevaluate(numbered(12).pk, by=system_actor(kestrel.tenant.pk, "kestrel"), clock=kestrel.clock)
        assert (12, "PROMOTION_CHANGED", "state") in found_in(kestrel)
        kestrel.wait(days=2)
        while Verifier().verify_some(kestrel.clock):
            pass
    assert (12, "PROMOTION_CHANGED", "state") in found_in(kestrel)


def test_what_the_worker_asked_for_is_told_as_the_systems(kestrel: Kestrel, tamper: Tampering) -> None:
    changes = {"auto_promote_from": "dev", "promotion_policy": "plain"}
    environment = kestrel.staging.pk
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=environment, changes=changes)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    confirm(promotion.pk, "backup", by=kestrel["second"], clock=kestrel.clock)
    kestrel.deploys(promotion)
    run_round("worker", kestrel.clock)
    made = Promotion.objects.latest("number")
    assert made.triggered_by_id is not None
    assert found_in(kestrel) == []
    tamper.run(f"UPDATE {PROMOTION} SET triggered_by_id = NULL WHERE number = {made.number}")
    assert (made.number, "PROMOTION_CHANGED", "request, actorId") in found_in(kestrel)


def test_a_promotion_that_nobody_asked_for_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(again(PROMOTION, "number = 5", f", 'number', 13, 'requested_by_id', {THIRD}"))
    tamper.run("UPDATE promotions_promotioncounter SET last_number = 13")
    assert (13, "PROMOTION_CHANGED", "request") in found_in(kestrel)


def test_a_record_that_was_slipped_in_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """It fits its input and the rows beside it, and nobody judged it."""
    newest = DecisionRecord.objects.filter(promotion=numbered(12)).latest("sequence")
    sequence, invented = newest.sequence + 1, "01a2294d-0000-7000-8000-000000000000"
    says = {"id": invented, "sequence": sequence, "previousDecisionId": str(newest.pk)}
    document = canonical_bytes({**orjson.loads(bytes(newest.document)), **says})
    tamper.run(again(RECORD, f"id = '{newest.pk}'", f", 'id', '{invented}', 'sequence', {sequence}"))
    tamper.run(f"UPDATE {RECORD} SET document = %s WHERE id = %s", [document, invented])
    changes = "decision_id = %s, decision_sequence = %s WHERE number = 12"
    tamper.run(f"UPDATE {PROMOTION} SET {changes}", [invented, sequence])
    assert found_in(kestrel) == [
        (12, "PROMOTION_CHANGED", "state"),
        (12, "RECORD_CHANGED", f"record {sequence}"),
    ]


def test_each_event_tells_the_state_that_its_change_left_and_no_outbox_event_does(kestrel: Kestrel) -> None:
    for promotion in Promotion.objects.all():
        states = AuditEvent.objects.filter(promotion_id=promotion.pk, metadata__has_key="state").order_by("timestamp")
        assert states.first() is not None
        newest = max((each.metadata["state"] for each in states), key=lambda state: state["version"])
        assert newest["digest"] == promotion_state.state_digest(promotion)
    assert not OutboxEvent.objects.filter(payload__has_key="state").exists()


def test_every_column_of_a_promotion_is_told_or_repeats_what_is() -> None:
    told = {
        *promotion_state.IDS,
        *promotion_state.LISTS_OF_IDS,
        *promotion_state.INSTANTS,
        *promotion_state.TEXTS,
        *promotion_state.OTHERS,
    }
    repeated = {
        "version", "last_evaluated_at", "next_change_at", "gates", "blocked_by", "approvals_required",
        "approvals_given", "approval_seconds_left", "open_voters", "decision_fingerprint", "auto_promote_due",
        "overdue_at", "subject", "requirements", "earlier_subjects",
    }  # fmt: skip
    assert told | repeated == {field.attname for field in Promotion._meta.concrete_fields}
    assert not told & repeated


def test_a_release_that_the_tenant_does_not_have_is_a_finding() -> None:
    [found] = check_release_status(None)
    assert (found.what, found.place) == (MismatchKind.RELEASE_CHANGED, "release, status")
