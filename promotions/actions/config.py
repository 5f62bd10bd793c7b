"""Policy as code: the plan and the apply of a file (docs/policy-as-code.md, docs/adr/0248).

An apply is the single edits, in one transaction. A plan is an apply that is undone, so that it says what an apply does.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from django.db import transaction
from django.http import Http404

from environments.locks import lock_calendar
from environments.models import Environment
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.actions.config_steps import DONE, ORDER, UNSATISFIABLE, WAITS, Outcome, Step, steps_of
from promotions.reading.config import Document, StoredConfig, config_tag, stored_config
from promotions.reading.config_differences import ConfigChange, Thing, compare, read_config, rights_for
from promotions.reading.config_schema import BY_KIND, SECTIONS
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Product, Team
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, FieldError, Invalid, ProductError
from stellapromote.signing.canonical_json import digest
from stellapromote.transactions import transactional

ROUNDS: Final = 3
"""Edits may change more than they name, as the order of environments; then the rest is compared again."""


class PlanNotNamed(Invalid):
    """The call does not say which plan its author has read."""

    def __init__(self) -> None:
        message = "Plan the file, then apply it with If-Match and the one ETag of that plan."
        super().__init__(message, fields=[FieldError("If-Match", message, "required")])


class PlanOutdated(PreconditionFailed):
    """The plan is of another file, or compared it with other settings."""

    def __init__(self) -> None:
        super().__init__(
            "The file, or something in its sections, changed since this plan: plan it again, read that, and apply it."
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A change with what became of it; without outcomes where the actor may not make it."""

    change: ConfigChange
    outcomes: tuple[Outcome, ...] = ()

    @property
    def outcome(self) -> Outcome | None:
        """The first one that leaves something to do."""
        first = self.outcomes[0] if self.outcomes else None
        return next((each for each in self.outcomes if each.state != DONE), first)


@dataclass(frozen=True, slots=True)
class Plan:
    """``lacking``: the rights without which an apply is refused. ``unnamed``: things that the file does not name and
    that stay. ``tag``: names the file and what it was compared with."""

    results: list[Result]
    unnamed: list[ConfigChange]
    lacking: list[str]
    tag: str
    is_applied: bool = False


@transactional
def plan_config(*, by: Actor, clock: Clock, config: Any, prune: bool = False) -> Plan:
    """What an apply of the file would do; stores nothing. Raises what ``apply_config`` raises, but for the
    condition."""
    config = read_config(config)
    _check_readable(by, config)
    stored, tag = _stored(by, clock, config, prune)
    found = compare(config, stored, clock.now(), prune=prune)
    unnamed = [] if prune else found.unnamed
    lacking = [right for right in rights_for(found.changes) if not by.has(right)]
    if lacking or not found.changes:
        return Plan([Result(each) for each in found.changes], unnamed, lacking, tag)
    with _undone():
        results = _carry_out(config, by=by, clock=clock, prune=prune)
    return Plan(results, unnamed, [], tag)


@transactional
def apply_config(*, by: Actor, clock: Clock, config: Any, if_match: IfMatch | None, prune: bool = False) -> Plan:
    """Makes the tenant what the file says, or nothing of it. What loosens a guard of a protected environment becomes
    a proposal; what nobody can satisfy, or another person publishes, is stored and guards nothing; what waits for
    either is left as it is. ``prune``: what the file does not name goes, where nothing needs it.

    ``if_match``: the plan that the author has read. Raises Invalid (400), PlanNotNamed (400), Refused (403) for a
    missing right, PlanOutdated (412) where the file or anything in its sections changed since, and the refusals of the
    single edits, with the place in the file.
    """
    config = read_config(config)
    _check_readable(by, config)
    if if_match is None or not if_match.names_one:
        raise PlanNotNamed()
    _lock(by, config)
    stored, tag = _stored(by, clock, config, prune)
    try:
        if_match.check(tag)
    except PreconditionFailed:
        raise PlanOutdated() from None
    found = compare(config, stored, clock.now(), prune=prune)
    for right in rights_for(found.changes):
        by.require(right)
    results = _carry_out(config, by=by, clock=clock, prune=prune)
    return Plan(results, [] if prune else found.unnamed, [], tag, is_applied=True)


def _check_readable(by: Actor, config: Document) -> None:
    """Raises Refused where the file has a section that the actor may not read: leaving it out would hide its
    differences."""
    for section in SECTIONS:
        if section.name in config:
            by.require(section.reads)


def _stored(by: Actor, clock: Clock, config: Document, prune: bool) -> tuple[StoredConfig, str]:
    stored = stored_config(by.tenant, _sections(by, config), clock.now())
    return stored, config_tag(by.tenant, stored, digest(config), prune)


def _sections(by: Actor, config: Document) -> set[str]:
    """Those of the file, and beside environments the policies that they name."""
    beside = [each for each in SECTIONS if each.kind.endswith("policy") and by.has(each.reads)]
    return {*(config.keys() & {each.name for each in SECTIONS})} | (
        {each.name for each in beside} if "environments" in config else set()
    )


def _lock(by: Actor, config: Document) -> None:
    """Keeps what is compared from changing until commit, in the order of domain.md §0. Freezes and repositories change
    under the lock of the calendar and of their product, and by claims of releases."""
    lock_calendar(by.tenant)
    for model, section in (
        (Environment, "environments"),
        (Product, "products"),
        (ApprovalPolicy, "approvalPolicies"),
        (PromotionPolicy, "promotionPolicies"),
        (Team, "teams"),
    ):
        if section in config:
            rows: Any = model._default_manager.filter(tenant_id=by.tenant).select_for_update().order_by("id")
            list(rows.values_list("id"))


@dataclass(slots=True)
class _Run:
    """What became of each change. ``held``: things that are not as the file says."""

    results: dict[tuple[str, Any], Result] = field(default_factory=dict)
    held: set[Thing] = field(default_factory=set)

    def note(self, step: Step, outcome: Outcome) -> None:
        known = self.results.get(step.change.id, Result(step.change))
        self.results[step.change.id] = replace(known, outcomes=(*known.outcomes, outcome))
        if outcome.state != DONE:
            self.held |= {step.thing, *([ORDER] if step.moves else ())}

    def is_open(self, change: ConfigChange) -> bool:
        """Whether something of it waits for people: it is not tried again."""
        known = self.results.get(change.id)
        return known is not None and any(each.state != DONE for each in known.outcomes)


def _carry_out(config: Document, *, by: Actor, clock: Clock, prune: bool) -> list[Result]:
    run = _Run()
    order: list[Any] = []
    for _ in range(ROUNDS):
        stored = stored_config(by.tenant, _sections(by, config), clock.now())
        changes = compare(config, stored, clock.now(), prune=prune).changes
        order += [each.id for each in changes if each.id not in order]
        todo = [each for each in changes if not run.is_open(each)]
        if not todo:
            break
        _take_steps(steps_of(todo), run, by=by, clock=clock)
    return [run.results[each] for each in order]


def _take_steps(steps: list[Step], run: _Run, *, by: Actor, clock: Clock) -> None:
    """One step after the other, each when nothing that it names still changes. Where environments and policies name
    each other, an environment comes first: its action says whether that can be."""
    ahead = Counter(each.thing for each in steps)
    order = _names_by_place(by)
    while steps:
        ready = next((each for each in steps if not any(map(ahead.get, _named(each, order)))), None)
        step = ready or next((each for each in steps if each.change.kind == "environment"), steps[0])
        steps.remove(step)
        ahead[step.thing] -= 1
        waits_for = next((each for each in (*_named(step, order), step.thing) if each in run.held), None)
        if waits_for is not None:
            run.note(step, Outcome(WAITS, f"It waits for {' '.join(waits_for)}: apply again when that is in force."))
            continue
        with _placed(step.change):
            run.note(step, step.act(by, clock))
        if step.change.kind == "environment":
            order = _names_by_place(by)


def _named(step: Step, order: Mapping[int | None, str]) -> Iterator[Thing]:
    """The other things that the step takes to be in force: those that it names, the order if it moves, and the
    environment that leaves its place."""
    yield from sorted(step.needs - {step.thing})
    if step.moves:
        yield ORDER
    if step.free_index in order:
        yield "environment", order[step.free_index]


def _names_by_place(by: Actor) -> dict[int | None, str]:
    return dict(Environment.objects.of(by.tenant).live().values_list("order_index", "name"))


@contextmanager
def _placed(change: ConfigChange) -> Iterator[None]:
    """Names the place in the file in a refusal of a single edit."""
    try:
        yield
    except Invalid as refusal:
        place = change.place or change.kind
        fields = [replace(each, field=f"{place}.{each.field}") for each in refusal.fields]
        raise Invalid(None if fields else refusal.message, fields=fields, code=refusal.code) from refusal
    except Http404:
        _name_place(Conflict("It was removed meanwhile: plan the file again."), change)
    except ProductError as refusal:
        _name_place(refusal, change)


def _name_place(refusal: ProductError, change: ConfigChange) -> NoReturn:
    refusal.message = f"{change.place or change.kind} ({change.name}): {refusal.message}"
    refusal.details = {**(refusal.details or {}), "place": change.place}
    raise refusal


class _Undo(Exception):
    """Ends a plan."""


@contextmanager
def _undone() -> Iterator[None]:
    """Whatever is written inside is undone."""
    try:
        with transaction.atomic():
            yield
            raise _Undo
    except _Undo:
        pass


def plan_document(plan: Plan) -> Document:
    """The plan, or what an apply did, as the API answers it."""
    return {
        "changes": [_result_document(each, is_applied=plan.is_applied) for each in plan.results],
        "unnamed": [{"kind": each.kind, "name": each.name} for each in plan.unnamed],
        "unsatisfiable": [
            f"{each.change.kind} {each.change.name}"
            for each in plan.results
            if any(outcome.state == UNSATISFIABLE for outcome in each.outcomes)
        ],
        "lacking": plan.lacking,
        "tag": plan.tag,
    }


def _result_document(result: Result, *, is_applied: bool) -> Document:
    change, outcome = result.change, result.outcome
    proposal = next((each.proposal for each in result.outcomes if each.proposal is not None), None)
    return {
        "kind": change.kind,
        "name": change.name,
        "section": next(each.name for each in SECTIONS if each is BY_KIND[change.kind]),
        "place": change.place or None,
        "verb": change.verb,
        "words": change.words,
        "loosens": list(change.loosens) if proposal is None else list(proposal.weakens),
        "tightens": change.tightens,
        "outcome": None if outcome is None else outcome.state,
        "message": None if outcome is None else outcome.message or None,
        "environments": [] if proposal is None else list(proposal.guards),
        "proposalId": None if proposal is None or not is_applied else str(proposal.pk),
    }
