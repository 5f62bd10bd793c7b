"""The trial of a promotion policy: a draft judged on recorded facts, and the differences (contract.md, simulate).

Gathers nothing new and stores nothing. Facts that a gate of the draft needs and the recorded input does not hold make
that gate GATE_FACTS_MISSING; policies as code are evaluated now, by embedded engines only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast
from uuid import UUID

import orjson
from django.db.models import Exists, OuterRef, QuerySet

from environments.models import Environment
from policies import gates
from policies.documents import Document
from policies.engines.ask import ask_all
from policies.evaluator import evaluate
from policies.facts import GateInput
from policies.outcomes import Evaluation
from promotions.judging.documents_of_input import documents_of
from promotions.judging.facts import schedules_of
from promotions.models import DecisionRecord, Promotion
from promotions.voting.blindness import blind_to, check_can_see_votes
from stellapromote.accounts.actor import Actor
from stellapromote.errors import ProductError

MOST_DECISIONS: Final = 200
MOST_SECONDS: Final = 20.0
"""A draft whose policy never answers would otherwise hold a request for its time-out two hundred times."""

PATIENCE: Final = 1.0
"""Seconds that a simulation waits for another of this process. Of two web threads one is then free again."""

_one_at_a_time: Final = Lock()


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class _Hidden(TypedDict):
    is_hidden: bool


class SimulationsBusy(ProductError):
    """This process is trying another policy: a trial that waited longer would keep a web thread from all other
    calls."""

    code = "SYS_UNAVAILABLE"
    retry_after = 10


@dataclass(frozen=True, slots=True)
class Draft:
    """The text to try: the document, and the policy it belongs to; version 0 is a draft."""

    name: str
    version: int
    document: Document


@dataclass(frozen=True, slots=True)
class GateDifference:
    """One gate whose status or codes differ; None on the side that does not have it."""

    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        return {"gate": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Trial:
    """The draft on one set of facts; ``promotion`` and ``record`` are None for facts that were sent."""

    evaluation: Evaluation
    promotion: Promotion | None
    record: Mapping[str, Any] | None
    differences: tuple[GateDifference, ...]

    @property
    def differs(self) -> bool:
        """Whether the decision itself would be another."""
        return self.record is not None and self.record["decision"] != self.evaluation.decision

    def as_json(self) -> dict[str, Any]:
        """The trial in wire names."""
        judged = self.evaluation.as_json()
        record, promotion = self.record, self.promotion
        return {
            "promotionId": None if promotion is None else str(promotion.pk),
            "number": None if promotion is None else promotion.number,
            "releaseName": None if promotion is None else promotion.release.name,
            "targetEnvironmentName": None if promotion is None else promotion.target_environment.name,
            "decision": judged["decision"],
            "reasonCodes": judged["reasonCodes"],
            "gates": judged["gates"],
            "recorded": None
            if record is None
            else {name: record[name] for name in ("id", "sequence", "decision", "reasonCodes", "evaluatedAtUtc")}
            | {name: record[name] for name in ("policyName", "policyVersion", "policyDigest")},
            "differs": self.differs,
            "differences": [each.as_json() for each in self.differences],
        }


@dataclass(frozen=True, slots=True)
class Trials:
    """The draft on several promotions. ``hidden``: the number left out because their votes are hidden from the
    person."""

    tried: Sequence[Trial]
    in_time: bool = True
    hidden: int = 0


@contextmanager
def _alone() -> Iterator[None]:
    """SimulationsBusy."""
    if not _one_at_a_time.acquire(timeout=PATIENCE):
        raise SimulationsBusy("Another policy is being tried: send this again in a few seconds.")
    try:
        yield
    finally:
        _one_at_a_time.release()


def try_on_promotion(draft: Draft, promotion: Promotion, *, by: Actor) -> Trial:
    """The draft on the facts of the promotion's decision in force; ``promotion`` has it selected. BlindToVotes,
    SimulationsBusy."""
    check_can_see_votes(by, promotion)
    with _alone():
        return _try_on(draft, promotion)


def _try_on(draft: Draft, promotion: Promotion) -> Trial:
    record = promotion.decision
    if record is None:
        raise AssertionError("a promotion has a decision from its creation")
    return _try_on_record(draft, promotion, record)


def try_on_input(draft: Draft, tenant_id: UUID, gate_input: GateInput) -> Trial:
    """The draft on facts that a caller sent: they are no record, so nothing is compared. SimulationsBusy."""
    with _alone():
        return Trial(_judged(draft, tenant_id, dict(gate_input), sent=True), None, None, ())


def try_on_last(draft: Draft, count: int, *, by: Actor, environment_id: UUID | None = None) -> Trials:
    """The draft on the decisions in force of the last ``count`` promotions, newest first, until time runs out.

    Those whose votes ``by`` is not shown are left out and counted. Of one environment, or of all that the policy
    guards; where it guards none, of all there are. Cost: two statements, and up to five for each whose documents were
    not used lately. SimulationsBusy.
    """
    of_tenant = Promotion.objects.filter(tenant_id=by.tenant, decision__isnull=False)
    if environment_id is not None:
        chosen = of_tenant.filter(target_environment_id=environment_id)
    else:
        guarded = Environment.objects.of(by.tenant).filter(promotion_policy__name=draft.name)
        chosen = of_tenant.filter(target_environment__in=guarded) if guarded.exists() else of_tenant
    found = chosen.select_related("decision", "release", "target_environment").order_by("-number")
    marked = found.annotate(is_hidden=Exists(blind_to(by).filter(pk=OuterRef("pk"))))
    last = list(cast("QuerySet[WithAnnotations[Promotion, _Hidden]]", marked)[: min(count, MOST_DECISIONS)])
    seen = [promotion for promotion in last if not promotion.is_hidden]
    tried: list[Trial] = []
    with _alone():
        until = monotonic() + MOST_SECONDS
        for promotion in seen:
            if monotonic() > until:
                break
            tried.append(_try_on(draft, promotion))
    return Trials(tried, in_time=len(tried) == len(seen), hidden=len(last) - len(seen))


def _try_on_record(draft: Draft, promotion: Promotion, record: DecisionRecord) -> Trial:
    said = orjson.loads(bytes(record.document))
    evaluation = _judged(draft, promotion.tenant_id, orjson.loads(bytes(record.input)))
    now = [gate.as_json() for gate in evaluation.gates]
    return Trial(evaluation, promotion, said, tuple(_differences(said["gates"], now)))


def _judged(draft: Draft, tenant_id: UUID, gate_input: dict[str, Any], *, sent: bool = False) -> Evaluation:
    """Judged as if the draft had been in force when these facts were gathered, by the kinds of gates of today."""
    texts = documents_of(tenant_id, gate_input, sent=sent)
    before = texts.get(gate_input["requirements"]["promotionPolicy"]["digest"])
    content, digest = draft.document.content, draft.document.digest
    texts[digest] = content
    facts = cast(
        "GateInput",
        {
            **gate_input,
            "kinds": gates.current_versions(gate["kind"] for gate in content["gates"]),
            "requirements": {
                **gate_input["requirements"],
                "promotionPolicy": {"name": draft.name, "version": draft.version, "digest": digest},
            },
            "schedules": schedules_of(content),
            "policyAnswers": _answers_that_hold(gate_input, before, content),
        },
    )
    facts["policyAnswers"] = {**facts["policyAnswers"], **ask_all(content, facts, texts)}
    return evaluate(facts, texts)


def _answers_that_hold(
    gate_input: Mapping[str, Any], before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> dict[str, Any]:
    """The recorded answers of a policy server, for the gates with the same question: it is not asked again."""
    if before is None:
        return {}
    asked = {gate["name"]: (gate["kind"], gate["config"]) for gate in before["gates"]}
    kept = {gate["name"] for gate in after["gates"] if asked.get(gate["name"]) == (gate["kind"], gate["config"])}
    return {name: answer for name, answer in (gate_input.get("policyAnswers") or {}).items() if name in kept}


def _differences(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterable[GateDifference]:
    """The differences by name, in the order of `after`, then those only in `before`. Status and codes count; details
    may."""
    old, new = ({gate["name"]: _in_short(gate) for gate in each} for each in (before, after))
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            yield GateDifference(name, old.get(name), new.get(name))


def _in_short(gate: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": gate["type"], "status": gate["status"], "reasonCodes": gate["reasonCodes"]}
