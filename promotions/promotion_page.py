"""What the promotion page shows to one person: facts, sentences, and what they may do, with the reason if not."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from policies import sentences
from policies.requirements import ANYONE, Rule
from policies.stored_documents import documents
from promotions import queries, rules
from promotions.blindness import can_see_votes, check_can_see_votes
from promotions.bundles import has_newer
from promotions.electorate import confirmers, gate_confirmers
from promotions.models import Blob, Confirmation, EvidencePacket, Promotion, Vote
from promotions.override_page import override_parts
from promotions.rules import Ballot
from promotions.scene import stored_requirements
from promotions.states import OPEN, VOTING, Status
from promotions.timeline import happened
from promotions.voting import ballot_on_page
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_REQUEST

Context = dict[str, Any]

_DECISION = EvidencePacket.Type.RELEASE_DECISION
_ENDED_BADLY = frozenset({Status.REJECTED, Status.CANCELLED, Status.FAILED, Status.ROLLED_BACK})


def promotion_page(promotion: Promotion, by: Actor) -> Context:
    """The context of the page. Cost: a constant number of statements, stated in a test."""
    acts = queries.acts_of(promotion)
    voted = queries.voters_of(acts)
    blind = not can_see_votes(by, promotion, voted=str(by.user_id) in voted)
    gates = queries.gates_of(promotion, blind=blind)
    packets = [] if blind else queries.packets_of(promotion)
    record = orjson.loads(bytes(queries.current_record(promotion).document))
    requirements = stored_requirements(promotion)
    wanted = [requirements["promotionPolicy"]["digest"], *(p["digest"] for p in requirements["approvalPolicies"])]
    texts = documents(promotion.tenant_id, wanted)
    ballot = ballot_on_page(promotion, texts, acts, voted)
    may_confirm = _may_confirm(promotion, gates, texts)
    policy = texts[requirements["promotionPolicy"]["digest"]]
    excluded = {person["id"] for person in requirements["excludedPersons"]}
    names = _names(promotion, gates, excluded)
    return {
        "promotion": promotion,
        "subject_digest": promotion.subject_digest,
        "blocked": [gate for gate in gates if gate["status"] in ("pending", "fail")],
        "gates_open": [gate for gate in gates if gate["status"] != "pass"],
        "gates_passed": [gate for gate in gates if gate["status"] == "pass"],
        "gates": gates,
        "security_gates": [gate for gate in gates if gate["type"] == "security" and gate["details"].get("counts")],
        "manual_gates": [
            _manual(gate, acts, by, ballot, may_confirm.get(gate["name"], frozenset()), policy)
            for gate in gates
            if gate["type"] == "manual"
        ],
        **override_parts(
            promotion,
            gates,
            by=by,
            policy=policy,
            requirements=requirements,
        ),
        "votes_hidden": blind,
        "requirements": _asked_for(requirements, texts) if blind else _requirements(gates, names),
        "approvals_complete": all(gate["status"] == "pass" for gate in gates if gate["type"] == "approval"),
        "excluded": [
            {**person, "displayName": names.get(person["id"], person["username"])}
            for person in requirements["excludedPersons"]
        ],
        "external_authors": requirements.get("externalAuthors", []),
        "nobody_approves": not requirements["requiredApprovals"] and not requirements["approvalPolicies"],
        "acts": queries.acts_shown(acts, by, blind=blind),
        "nobody_voted": not acts and promotion.status not in VOTING,
        "diff": queries.diff_of(promotion),
        "timeline": happened(queries.timeline_of(promotion, by, blind=blind)),
        "times": _times(promotion),
        "record": record,
        "packets": packets,
        "record_is_signed": any(
            packet.decision_id == promotion.decision_id for packet in packets if packet.type == _DECISION
        ),
        "is_open": promotion.status in OPEN,
        "newer_evidence": promotion.status in OPEN and has_newer(promotion),
        "may": _may(promotion, by, ballot),
        "my_approval": any(
            isinstance(act, Vote) and act.verdict == Vote.Verdict.APPROVE and act.ended_at is None
            for act in acts
            if act.voter_id == by.user_id
        ),
        "request_again": promotion.status in _ENDED_BADLY and by.has(PROMOTION_REQUEST),
    }


def _may(promotion: Promotion, by: Actor, ballot: Ballot) -> dict[str, str]:
    """For each act the reason why this person may not, empty when they may: the same rules that the actions ask."""
    return {
        "approve": _reason(lambda: rules.check_can_approve(by, ballot)),
        "reject": _reason(lambda: rules.check_can_reject(by, ballot)),
        "withdraw": _reason(lambda: rules.check_can_withdraw(by, ballot)),
        "cancel": _reason(lambda: rules.check_can_cancel(by, promotion)),
        "evaluate": _reason(lambda: rules.check_can_evaluate(by, promotion)),
        "replay": _reason(lambda: check_can_see_votes(by, promotion, voted=str(by.user_id) in ballot.voted)),
    }


def _reason(check: Callable[[], None]) -> str:
    refusal = rules.refusal(check)
    return "" if refusal is None else refusal.message


def _may_confirm(
    promotion: Promotion, gates: Iterable[Context], texts: Mapping[str, dict[str, Any]]
) -> dict[str, frozenset[str]]:
    """Everybody who may confirm each manual gate that waits, as the action asks: a gate's details list fifty of them.

    One statement more where the record keeps its candidates as a blob.
    """
    waiting = [gate["name"] for gate in gates if gate["type"] == "manual" and gate["status"] == "pending"]
    if not waiting or promotion.status not in VOTING:
        return {}
    gate_input = orjson.loads(bytes(queries.current_record(promotion).input))
    candidates = gate_input["candidates"]
    if isinstance(candidates, dict):
        blob = Blob.objects.get(pk=candidates["digest"])
        texts = {**texts, blob.digest: orjson.loads(bytes(blob.content))}
    still = {str(each) for each in promotion.open_voters}
    return {name: frozenset(gate_confirmers(gate_input, texts, name) & still) for name in waiting}


def _manual(
    gate: Context,
    acts: Iterable[Vote | Confirmation],
    by: Actor,
    ballot: Ballot,
    may: frozenset[str],
    policy: Mapping[str, Any],
) -> Context:
    named = confirmers(policy, gate["name"]) or Rule(gate["name"], 1)
    confirmed = frozenset(
        str(act.voter_id)
        for act in acts
        if isinstance(act, Confirmation) and act.gate == gate["name"] and act.ended_at is None
    )
    return {
        "gate": gate,
        "mine": str(by.user_id) in confirmed,
        "confirm": _reason(lambda: rules.check_can_confirm(by, ballot, may, confirmed=confirmed, confirmers=named)),
        "unconfirm": _reason(lambda: rules.check_can_unconfirm(by, ballot, confirmed=confirmed)),
    }


def _names(promotion: Promotion, gates: Iterable[Context], excluded: set[str]) -> dict[str, str]:
    """Display names of everybody the page mentions by id. One statement."""
    wanted = set(excluded) | {str(each) for each in promotion.open_voters}
    for gate in gates:
        for requirement in gate["details"].get("requirements", ()):
            for rule in requirement["rules"]:
                wanted.update(rule["filledBy"], rule["eligible"])
    return {str(pk): name for pk, name in User.objects.filter(pk__in=wanted).values_list("pk", "display_name")}


def _asked_for(requirements: Mapping[str, Any], texts: Mapping[str, dict[str, Any]]) -> list[Context]:
    """Approvals by rule, for somebody who is not shown the votes: what each asks for, and nothing of who gave it."""
    number, policies = requirements["requiredApprovals"], [texts[p["digest"]] for p in requirements["approvalPolicies"]]
    anyone = [{"requirement": ANYONE, "rule": ANYONE, "asks": sentences.of_anyone(number)}] if number else []
    return anyone + [
        {"requirement": policy["name"], "rule": rule["name"], "asks": sentences.of_rule(rule)}
        for policy in policies
        for rule in policy["rules"]
    ]


def _requirements(gates: Iterable[Context], names: dict[str, str]) -> list[Context]:
    """Approvals by rule: who filled it, and who still can."""
    found = []
    for gate in gates:
        if gate["type"] != "approval":
            continue
        for requirement in gate["details"].get("requirements", ()):
            found += [
                {
                    "requirement": requirement["name"],
                    "rule": rule["name"],
                    "given": len(rule["filledBy"]),
                    "required": rule["minApprovals"],
                    "by": [names.get(person, person) for person in rule["filledBy"]],
                    "could": [names.get(person, person) for person in rule["eligible"]],
                }
                for rule in requirement["rules"]
            ]
    return found


def _times(promotion: Promotion) -> dict[str, Any]:
    """When the promotion entered each step of the state track."""
    ends = {
        Status.REJECTED: promotion.decided_at,
        Status.CANCELLED: promotion.completed_at,
        Status.FAILED: promotion.completed_at,
        Status.ROLLED_BACK: promotion.completed_at,
    }
    return {
        "requested": promotion.requested_at,
        "approved": promotion.approved_at,
        "deploying": promotion.started_at,
        "deployed": promotion.completed_at if promotion.status == Status.DEPLOYED else None,
        "end": ends.get(Status(promotion.status)),
    }
