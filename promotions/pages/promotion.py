"""The content of the promotion page for one person: facts, sentences, and the acts they may do, with the reason if
not."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.db.models import Model

from policies import sentences
from policies.facts import approval_policies_of, exclusions, policies_named, policy_of
from policies.gates.approval.judging import waiting_message_of
from policies.outcomes import blocks
from policies.requirements import ANYONE, Rule
from policies.stored_documents import documents
from promotions.documents.bundles import has_newer
from promotions.judging.electorate import confirmers, gate_confirmers
from promotions.judging.evaluation_context import stored_requirements
from promotions.models import Blob, Confirmation, EvidencePacket, Promotion, Vote
from promotions.pages.overrides import override_parts
from promotions.pages.timeline import timeline_entries
from promotions.reading import queries
from promotions.states import OPEN, VOTING, Status
from promotions.voting import rules
from promotions.voting.ballot import ballot_on_page
from promotions.voting.blindness import can_see_votes, check_can_see_votes
from promotions.voting.rules import Ballot
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_REQUEST
from stellapromote.errors import sentence_against
from stellapromote.patterns import OWNERS

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
    texts = documents(promotion.tenant_id, (each["digest"] for each in policies_named(requirements)))
    ballot = ballot_on_page(promotion, texts, acts, voted)
    may_confirm = _may_confirm(promotion, gates, texts)
    policy = policy_of(requirements, texts)
    names = _names(promotion, gates, exclusions(requirements))
    _speak_to(by, gates, acts, names)
    return {
        "promotion": promotion,
        "subject_digest": promotion.subject_digest,
        "blocked": [gate for gate in gates if blocks(gate["status"])],
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
        "requirements": (
            _requirement_rows(requirements, texts)
            if blind
            else _requirements(gates, names, _asking_owners(requirements, texts))
        ),
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
        "timeline": timeline_entries(queries.timeline_of(promotion, by, blind=blind)),
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
        "request_again": promotion.status in _ENDED_BADLY and by.has_for(promotion.product, PROMOTION_REQUEST),
    }


def version_of(context: Context) -> str:
    """Everything that the page shows, as text: the same text, the same page.

    What is shown is more than the promotion's row: names, rights, and documents that came since it was judged.
    """
    promotion: Promotion = context["promotion"]
    places = (promotion.source_environment, promotion.target_environment)
    return repr(
        (
            str(promotion.pk),
            promotion.version,
            [(each.name, each.display_name) for each in places if each is not None],
            {name: _plain(value) for name, value in context.items() if name != "promotion"},
        )
    )


def _plain(value: Any) -> Any:
    """The value without rows, sets and objects, whose text differs between processes; bytes have a digest beside."""
    if isinstance(value, Model):
        return {name: _plain(field) for name, field in vars(value).items() if name != "_state"}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return len(value) if isinstance(value, bytes | memoryview) else str(value)


def _may(promotion: Promotion, by: Actor, ballot: Ballot) -> dict[str, str]:
    """For each act the reason why this person may not, empty when they may: the same rules that the actions ask."""
    return {
        "approve": sentence_against(rules.check_can_approve, by, ballot),
        "reject": sentence_against(rules.check_can_reject, by, ballot),
        "withdraw": sentence_against(rules.check_can_withdraw, by, ballot),
        "cancel": sentence_against(rules.check_can_cancel, by, promotion),
        "evaluate": sentence_against(rules.check_can_evaluate, by, promotion),
        "replay": sentence_against(check_can_see_votes, by, promotion, voted=str(by.user_id) in ballot.voted),
    }


def _may_confirm(
    promotion: Promotion, gates: Iterable[Context], texts: Mapping[str, dict[str, Any]]
) -> dict[str, frozenset[str]]:
    """The people who may confirm each waiting manual gate, by the rule of the action: a gate's details list fifty of
    them.

    One statement more where the record keeps its candidates as a blob.
    """
    waiting_message_of = [gate["name"] for gate in gates if gate["type"] == "manual" and gate["status"] == "pending"]
    if not waiting_message_of or promotion.status not in VOTING:
        return {}
    gate_input = orjson.loads(bytes(queries.current_record(promotion).input))
    candidates = gate_input["candidates"]
    if isinstance(candidates, dict):
        blob = Blob.objects.get(pk=candidates["digest"])
        texts = {**texts, blob.digest: orjson.loads(bytes(blob.content))}
    still = {str(each) for each in promotion.open_voters}
    return {name: frozenset(gate_confirmers(gate_input, texts, name) & still) for name in waiting_message_of}


def _speak_to(
    by: Actor, gates: Iterable[Context], acts: Iterable[Vote | Confirmation], names: Mapping[str, str]
) -> None:
    """An approval gate that waits for this person says so; one that a blind reader sees says nothing of people."""
    reader = str(by.user_id)
    for gate in gates:
        if gate["type"] == "approval" and reader in {person["id"] for person in gate["whoCanAct"]}:
            void = {vote["id"] for vote in gate["details"]["voidVotes"]}
            approved = [
                act.display_name
                for act in acts
                if isinstance(act, Vote) and act.verdict == Vote.Verdict.APPROVE and act.ended_at is None
                if str(act.pk) not in void
            ]
            gate["message"] = waiting_message_of(gate["details"], names, approved, reader)


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
        "confirm": sentence_against(rules.check_can_confirm, by, ballot, may, confirmed=confirmed, confirmers=named),
        "unconfirm": sentence_against(rules.check_can_unconfirm, by, ballot, confirmed=confirmed),
    }


def _names(promotion: Promotion, gates: Iterable[Context], excluded: Iterable[str]) -> dict[str, str]:
    """Display names of the people whom the page mentions by id. One statement."""
    wanted = set(excluded) | {str(each) for each in promotion.open_voters}
    for gate in gates:
        for requirement in gate["details"].get("requirements", ()):
            for rule in requirement["rules"]:
                wanted.update(rule["filledBy"], rule["eligible"])
    return {str(pk): name for pk, name in User.objects.filter(pk__in=wanted).values_list("pk", "display_name")}


def _requirement_rows(requirements: Mapping[str, Any], texts: Mapping[str, dict[str, Any]]) -> list[Context]:
    """Approvals by rule, for a reader from whom the votes are hidden: the requirement of each, without its voters."""
    number, policies = requirements["requiredApprovals"], approval_policies_of(requirements, texts)
    anyone = [{"requirement": ANYONE, "rule": ANYONE, "asks": sentences.of_anyone(number)}] if number else []
    return anyone + [
        {
            "requirement": policy["name"],
            "rule": rule["name"],
            "asks": sentences.of_rule(rule, requirements.get("product")),
        }
        for policy in policies
        for rule in policy["rules"]
    ]


def _asking_owners(requirements: Mapping[str, Any], texts: Mapping[str, dict[str, Any]]) -> dict[tuple[str, str], str]:
    """The requirement of each rule that names the owners of the product, by policy and rule."""
    return {
        (policy["name"], rule["name"]): sentences.of_rule(rule, requirements.get("product"))
        for policy in approval_policies_of(requirements, texts)
        for rule in policy["rules"]
        if OWNERS in rule["teams"]
    }


def _requirements(
    gates: Iterable[Context], names: dict[str, str], asks: Mapping[tuple[str, str], str]
) -> list[Context]:
    """Approvals by rule: the people who filled it, and those who still can. ``asks``: the words of rules that do not
    name their teams."""
    found = []
    for gate in gates:
        if gate["type"] != "approval":
            continue
        for requirement in gate["details"].get("requirements", ()):
            found += [
                {
                    "requirement": requirement["name"],
                    "rule": rule["name"],
                    "asks": asks.get((requirement["name"], rule["name"]), ""),
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
