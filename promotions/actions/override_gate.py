from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.http import Http404

from policies.facts import policy_of
from policies.gates import who_can_act
from policies.outcomes import GateResult
from policies.overrides import override_scope
from promotions.fastpath import rows
from promotions.judging.act_facts import OVERRIDE
from promotions.judging.audited_rows import audited_act
from promotions.judging.evaluation_context import EvaluationContext
from promotions.judging.packet_content import installation_id
from promotions.judging.sealing import SigningUnavailable
from promotions.models import DecisionRecord, Override, Promotion
from promotions.packets.packet import sign_human_decision
from promotions.voting import rules
from promotions.voting.outcome import Outcome
from promotions.voting.overrides import Case, case_of, check_can_override, check_end, check_words
from promotions.voting.rules import Ballot
from promotions.voting.session import UNSEEN, SeenSubject, VoteSession, open_vote_session
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import reason_against
from stellapromote.ids import new_id
from stellapromote.signing.keyring import SigningKey
from stellapromote.transactions import transactional


@dataclass(frozen=True, slots=True)
class OverrideRequest:
    """A request for an override. ``decision_id``: the record whose gate result the person saw; None binds to the
    result under the lock."""

    gate: str
    reason: str
    ticket: str
    expires_at: datetime
    decision_id: UUID | None = None


def override_gate(
    promotion_id: UUID,
    request: OverrideRequest,
    *,
    by: Actor,
    seen: SeenSubject = UNSEEN,
    clock: Clock = DATABASE_CLOCK,
) -> Override:
    """Lets one promotion past one gate until an instant, by one named person, signed and for all to see (domain.md §6).

    Lifts the reason codes and findings that the person saw, for this subject. Raises Http404 without such a gate,
    Invalid, StateForbids, the refusals of ``promotions.voting.overrides``, SubjectChanged (412) when the subject or the
    gate's result is no longer what they saw, ManifestMismatch, Conflict RES_PRECONDITION_FAILED, and
    SigningUnavailable.
    """
    reason, ticket = check_words(request.reason, request.ticket)
    outcome, override = _override(promotion_id, request, reason, ticket, by, seen, clock)
    outcome.result()
    if override is None:
        raise AssertionError("an override without a refusal is stored")
    return override


@transactional
def _override(
    promotion_id: UUID, request: OverrideRequest, reason: str, ticket: str, by: Actor, seen: SeenSubject, clock: Clock
) -> tuple[Outcome, Override | None]:
    found: list[tuple[GateResult, Case, Override.Authority]] = []

    def check(context: EvaluationContext, ballot: Ballot) -> None:
        gate = _judged(context, request.gate)
        case = _case(context, gate, by)
        found.append((gate, case, check_can_override(by, case)))
        by.require_second_factor(required=ballot.second_factor_required)

    session = open_vote_session(promotion_id, by=by, seen=seen, clock=clock, check=check, digest_optional=True)
    if isinstance(session, Outcome):
        return session, None
    broken = reason_against(rules.check_manifest, session.promotion, session.context.facts.release_manifest)
    if broken is not None:
        return session.refuse(broken), None
    [(gate, case, authority)] = found
    check_end(request.expires_at, session.context.at, case)
    bound = _bound(session.promotion, gate, request.decision_id)
    if bound is None:
        return session.refuse(_another_result(session.promotion, gate)), None
    if session.context.key is None:
        raise SigningUnavailable("No usable signing key: the override cannot be signed now. Send it again later.")
    override = _stored(session, gate, case, authority, bound, request, reason, ticket, by, session.context.key)
    rows.insert(override)
    session.context.overrides.append(OVERRIDE.of(override.__dict__))
    session.work.note(
        "gate.overridden",
        session.promotion,
        after={"reason": reason, "ticket": ticket},
        gate=gate.name,
        overrideId=str(override.pk),
        authority=str(authority),
        reasonCodes=override.reason_codes,
        expiresAt=rfc3339(override.expires_at),
        told=_skipped(session.context, gate),
        **audited_act(override.__dict__),
    )
    return session.close(), override


def _judged(context: EvaluationContext, name: str) -> GateResult:
    found = next((gate for gate in context.evaluate().gates if gate.name == name), None)
    if found is None:
        raise Http404("This promotion has no gate of that name.")
    return found


def _case(context: EvaluationContext, gate: GateResult, by: Actor) -> Case:
    requirements = context.facts.gate_input["requirements"]
    policy = policy_of(requirements, context.documents)
    return case_of(context.promotion, gate.as_json(), by=by, policy=policy, requirements=requirements)


def _bound(promotion: Promotion, gate: GateResult, decision_id: UUID | None) -> tuple[list[str], list[str]] | None:
    """The reason codes and findings to lift; None when the gate now has more than the person saw."""
    now = override_scope(gate.reason_codes, gate.details)
    if decision_id is None:
        return now
    record = DecisionRecord.objects.filter(pk=decision_id, promotion=promotion).first()
    if record is None:
        raise Http404("This promotion has no such decision record.")
    gates = orjson.loads(bytes(record.document))["gates"]
    shown = next((each for each in gates if each["name"] == gate.name), None)
    if shown is None:
        return None
    saw = override_scope(shown["reasonCodes"], shown["details"])
    covered = all(set(new) <= set(old) for new, old in zip(now, saw, strict=True))
    return saw if covered else None


def _another_result(promotion: Promotion, gate: GateResult) -> rules.SubjectChanged:
    return rules.SubjectChanged(
        f"{gate.name} has more reasons than the result that you saw: look at it again, then decide.",
        details={"changed": [f"gates.{gate.name}"], "subjectDigest": promotion.subject_digest},
    )


def _stored(
    session: VoteSession,
    gate: GateResult,
    case: Case,
    authority: Override.Authority,
    bound: tuple[list[str], list[str]],
    request: OverrideRequest,
    reason: str,
    ticket: str,
    by: Actor,
    key: SigningKey,
) -> Override:
    """The row with its signed envelope, not stored yet."""
    promotion, at = session.promotion, session.context.at
    override_id, codes, findings = new_id(), *bound
    decision_id = request.decision_id or promotion.decision_id
    if decision_id is None:
        raise AssertionError("a promotion has a decision from its creation")
    predicate = {
        "id": str(override_id),
        "installationId": installation_id(),
        "tenantId": str(promotion.tenant_id),
        "decisionId": str(decision_id),
        "promotionId": str(promotion.pk),
        "requestId": by.request_id,
        "actorId": str(by.account),
        "actor": {"username": by.username, "displayName": by.display_name},
        "authority": str(authority),
        "decision": "override",
        "gate": {"name": gate.name, "type": gate.type, "kindVersion": gate.kind_version},
        "reasonCodes": codes,
        "findings": findings,
        "subjectDigest": promotion.subject_digest,
        "reason": reason,
        "ticket": ticket,
        "recordedAtUtc": rfc3339(at),
        "expiresAtUtc": rfc3339(request.expires_at),
    }
    return Override(
        id=override_id,
        tenant_id=promotion.tenant_id,
        promotion_id=promotion.pk,
        requester_id=promotion.requested_by_id,
        gate=gate.name,
        gate_type=gate.type,
        actor_id=by.account,
        username=by.username,
        display_name=by.display_name,
        roles=by.role_names,
        teams=list(by.teams),
        authority=authority,
        auth_method=by.auth_method,
        token_id=by.token_id,
        token_issuer_id=by.token_issuer_id,
        address=by.address,
        reason=reason,
        ticket=ticket,
        subject_digest=promotion.subject_digest,
        decision_id=decision_id,
        reason_codes=codes,
        findings=findings,
        recorded_at=at,
        expires_at=request.expires_at,
        review_due_at=at + timedelta(hours=case.review_hours),
        envelope=sign_human_decision(predicate, components=session.context.facts.components, key=key),
        signing_key_id=key.key_id,
    )


def _skipped(context: EvaluationContext, gate: GateResult) -> list[str]:
    """Ids of the people to inform: the voters, and those who could act on the gate or still vote."""
    people = {act["voterId"] for act in (*context.votes, *context.confirmations)}
    people.update(who_can_act(gate.type, gate.kind_version, gate.details))
    people.update(str(each) for each in context.promotion.open_voters)
    return sorted(people)
