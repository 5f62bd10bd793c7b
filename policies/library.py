"""The documents beside a gate input, by digest: verified and read once, then remembered (docs/adr/0010).

A digest names its content, so a content that was read stays right for as long as the process lives. A document that is
missing, differs from its digest, or cannot be used raises; nothing here answers with less than there is.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, TypeVar, cast

import orjson

from policies.context import Made
from policies.documents import DIRECTIONS, mandatory_gate, read_approval_policy, read_promotion_policy
from policies.facts import CANDIDATES_SCHEMA, Candidate, CandidatesReference
from policies.gates import MANDATORY, Judge, Registry
from policies.outcomes import OnError
from policies.overrides import DEFAULT_TTL
from policies.requirements import Requirement, of_policy
from stellapromote.errors import FieldError
from stellapromote.patterns import OWNERS, SLUG
from stellapromote.signing.canonical_json import digest as digest_of
from stellapromote.signing.canonical_json import digest_bytes

T = TypeVar("T")

RANK_OF_UNKNOWN: Final = 1000
"""A gate of an unknown kind comes after all others."""

_GATE = re.compile(r"gates\[([0-9]+)\]")
_SLUG = re.compile(SLUG)

Documents = Mapping[str, Mapping[str, Any] | bytes]
"""Each read already, or as its canonical bytes: large blobs are read only when a gate asks for them."""


class DocumentMissing(LookupError):
    """No document with this digest came with the gate input, or its content is not what the digest says."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


class DocumentUnusable(ValueError):
    """The document is there, but is not what it should be."""

    def __init__(self, digest: str, errors: list[FieldError]) -> None:
        super().__init__(digest)
        self.digest = digest
        self.errors = errors


class _Memory:
    """The values of the last keys, for any number of threads; a failure is not remembered.

    `size`: how much the values may weigh together; each weighs 1 unless `weight` says otherwise. One that weighs more
    by itself is not kept, and drives no other out.
    """

    def __init__(self, size: int, weight: Callable[[Any], int] = lambda _value: 1) -> None:
        self._size = size
        self._weight = weight
        self._weighs = 0
        self._values: OrderedDict[Any, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return cast("T", self._values[key])
        value = make()
        with self._lock:
            if key not in self._values and self._weight(value) <= self._size:
                self._values[key] = value
                self._weighs += self._weight(value)
            while self._weighs > self._size:
                _, oldest = self._values.popitem(last=False)
                self._weighs -= self._weight(oldest)
        return value


_plans: Final = _Memory(256)
_requirements: Final = _Memory(1024)
_blobs: Final = _Memory(16)
_derived: Final = _Memory(200_000, lambda value: 1 + len(value))
"""About 1 KB each: a hostile report of any size leaves the process its memory."""


def _content(documents: Documents, digest: str) -> Mapping[str, Any]:
    document = documents.get(digest)
    if isinstance(document, bytes):
        if digest_bytes(document) != digest:
            raise DocumentMissing(digest)
        return cast("Mapping[str, Any]", orjson.loads(document))
    if document is None or digest_of(document) != digest:
        raise DocumentMissing(digest)
    return document


def blob(documents: Documents, digest: str) -> Mapping[str, Any]:
    """The blob of this digest, shared between evaluations: callers must not change it. DocumentMissing."""
    if digest not in documents:
        raise DocumentMissing(digest)
    return _blobs.get(digest, lambda: _content(documents, digest))


def derived(documents: Documents, digest: str, make: Callable[[Mapping[str, Any]], Made]) -> Made:
    """The result of `make`, a pure function of a module, for the blob; shared like the blob itself. DocumentMissing."""
    if digest not in documents:
        raise DocumentMissing(digest)
    return _derived.get((digest, make), lambda: make(_content(documents, digest)))


@dataclass(frozen=True, slots=True)
class PlannedGate:
    """One gate of a promotion policy, ready to be judged; with `problem`, the code of why it cannot be."""

    name: str
    kind: str
    version: int
    rank: int
    judge: Judge | None
    config: Mapping[str, Any]
    on_error: OnError
    directions: frozenset[str]
    override: Mapping[str, Any] | None = None
    override_ttl: int = DEFAULT_TTL
    effective_on: str | None = None
    problem: str | None = None
    errors: tuple[FieldError, ...] = ()


def plan(documents: Documents, digest: str, kinds: Mapping[str, int], registry: Registry) -> tuple[PlannedGate, ...]:
    """The gates of a promotion policy in the order in which they are judged: rank, then name (domain.md §6).

    Every mandatory kind is among them, and must be in `kinds`. DocumentMissing.
    """
    if digest not in documents:
        raise DocumentMissing(digest)
    key = (digest, tuple(sorted(kinds.items())), registry)
    return _plans.get(key, lambda: _plan(_content(documents, digest), kinds, registry))


def mandatory_plan(kinds: Mapping[str, int], registry: Registry) -> tuple[PlannedGate, ...]:
    """The gates that are in every evaluation, with the settings they have when no policy names them."""
    return _in_order(_planned(mandatory_gate(kind, registry, kinds), kinds, registry) for kind in MANDATORY)


def _plan(document: Mapping[str, Any], kinds: Mapping[str, int], registry: Registry) -> tuple[PlannedGate, ...]:
    normal, errors = read_promotion_policy(dict(document), registry, kinds)
    by_gate: dict[int, list[FieldError]] = {}
    for error in errors:
        place = _GATE.match(error.field)
        if place is None:
            return tuple(
                replace(each, problem="GATE_CONFIG_INVALID", errors=tuple(errors))
                for each in mandatory_plan(kinds, registry)
            )
        by_gate.setdefault(int(place[1]), []).append(error)
    ttl = normal.get("overrideTtl", DEFAULT_TTL)
    planned = [
        _broken(gate, index, by_gate[index], kinds, registry)
        if index in by_gate
        else _planned(gate, kinds, registry, ttl)
        for index, gate in enumerate(normal["gates"])
    ]
    present = {each.kind for each in planned}
    return _in_order([*planned, *(each for each in mandatory_plan(kinds, registry) if each.kind not in present)])


def _planned(
    gate: Mapping[str, Any], kinds: Mapping[str, int], registry: Registry, ttl: int = DEFAULT_TTL
) -> PlannedGate:
    kind = registry.kinds[gate["kind"], kinds[gate["kind"]]]
    return PlannedGate(
        name=gate["name"],
        kind=kind.kind,
        version=kind.version,
        rank=kind.rank,
        judge=kind.judge,
        config=gate["config"],
        on_error=gate["onError"],
        directions=frozenset(gate["appliesTo"]),
        override=gate.get("override"),
        override_ttl=ttl,
        effective_on=gate.get("effectiveOn"),
    )


def _broken(
    gate: Any, index: int, errors: list[FieldError], kinds: Mapping[str, int], registry: Registry
) -> PlannedGate:
    given = gate if isinstance(gate, dict) else {}
    name, kind = given.get("name"), given.get("kind")
    unknown = isinstance(kind, str) and kind not in kinds
    version = kinds.get(kind, 0) if isinstance(kind, str) else 0
    known = registry.kinds.get((str(kind), version))
    return PlannedGate(
        name=name if isinstance(name, str) and _SLUG.fullmatch(name) else f"gate-{index}",
        kind=kind if isinstance(kind, str) and _SLUG.fullmatch(kind) else "unknown",
        version=version,
        rank=known.rank if known else RANK_OF_UNKNOWN,
        judge=None,
        config={},
        on_error="fail",
        directions=frozenset(DIRECTIONS),
        problem="GATE_UNKNOWN_KIND" if unknown else "GATE_CONFIG_INVALID",
        errors=tuple(errors),
    )


def _in_order(gates: Iterable[PlannedGate]) -> tuple[PlannedGate, ...]:
    return tuple(sorted(gates, key=lambda each: (each.rank, each.name)))


def requirement(documents: Documents, digest: str, owners: tuple[str, ...] | None) -> Requirement:
    """The requirement of one approval policy. ``owners``: the teams that @owners stands for; None: no rule may name it.

    DocumentMissing; DocumentUnusable, also when it has no rules.
    """
    if digest not in documents:
        raise DocumentMissing(digest)
    return _requirements.get((digest, owners), lambda: _requirement(_content(documents, digest), digest, owners))


def _requirement(document: Mapping[str, Any], digest: str, owners: tuple[str, ...] | None) -> Requirement:
    normal, errors = read_approval_policy(dict(document))
    if errors or not normal["rules"]:
        raise DocumentUnusable(digest, errors or [FieldError("rules", "There are no rules.", "invalid")])
    if owners is None and (named := _owners_named(normal)):
        raise DocumentUnusable(digest, named)
    return of_policy(normal, owners or ())


def _owners_named(normal: Mapping[str, Any]) -> list[FieldError]:
    """The errors of a version that knows no @owners, in the words in which it said them."""
    return [
        FieldError(f"rules[{index}].teams[{place}]", "This must be the short name of a team.", "invalid")
        for index, rule in enumerate(normal["rules"])
        for place, team in enumerate(rule["teams"])
        if team == OWNERS
    ]


def candidates(documents: Documents, given: list[Candidate] | CandidatesReference) -> list[Candidate]:
    """The candidates themselves, wherever they are. DocumentMissing; DocumentUnusable when the count does not fit."""
    if isinstance(given, list):
        return given
    many = blob(documents, given["digest"])
    if many["schema"] != CANDIDATES_SCHEMA or len(many["candidates"]) != given["count"]:
        raise DocumentUnusable(given["digest"], [])
    return cast("list[Candidate]", many["candidates"])
