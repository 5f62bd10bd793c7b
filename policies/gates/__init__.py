"""The gate kinds this version knows, by kind and kindVersion (domain.md §6).

A change of what a judge answers is a new kindVersion in a module of its own; the old one stays in REGISTRY while
records refer to it, and only CURRENT moves on (domain.md §7).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates import dependency, freeze_window, manual, schedule
from policies.gates.approval import version_1 as approval_1
from policies.gates.approval import version_2 as approval_2
from policies.gates.approval import version_3 as approval_3
from policies.gates.evidence import version_1 as evidence_1
from policies.gates.evidence import version_2 as evidence_2
from policies.gates.policy import version_1 as policy_1
from policies.gates.policy import version_2 as policy_2
from policies.gates.policy import version_3 as policy_3
from policies.gates.preconditions import version_1 as preconditions_1
from policies.gates.preconditions import version_2 as preconditions_2
from policies.gates.security import version_1 as security_1
from policies.gates.security import version_2 as security_2
from policies.gates.sources import EVERYTHING, Sources
from policies.gates.wording import UNKNOWN, Wording
from policies.outcomes import Verdict
from stellapromote.errors import FieldError
from stellapromote.json_schema import Schema

Judge = Callable[[GateInput, Mapping[str, Any], Context], Verdict]

MANDATORY: Final = ("preconditions", "freeze-window", "approval")
"""In every evaluation: a policy can configure them, not leave them out (domain.md §6)."""


@dataclass(frozen=True)
class Kind:
    """One kind of gate in one version. `check_config` adds to the schema's checks of a config.

    `wording` and `sources`: the texts about gates of the kind, and the keys and feeds they read, declared by its newest
    version only. `check_at_save` is called only when a policy is saved: it may take time and read what is installed
    here.
    """

    kind: str
    version: int
    rank: int
    summary: str
    config_schema: Schema
    judge: Judge
    wording: Wording | None = None
    sources: Sources | None = None
    check_config: Callable[[Mapping[str, Any], str], list[FieldError]] = lambda _config, _field: []
    check_at_save: Callable[[Mapping[str, Any], str], list[FieldError]] = lambda _config, _field: []
    who_can_act: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda _details: ()


def kind_of(module: ModuleType) -> Kind:
    """The kind that a module of this package declares."""
    hooks = ("check_config", "check_at_save", "who_can_act")
    optional = {name: getattr(module, name) for name in hooks if hasattr(module, name)}
    return Kind(
        kind=module.KIND,
        version=module.KIND_VERSION,
        rank=module.RANK,
        summary=module.SUMMARY,
        config_schema=module.CONFIG_SCHEMA,
        judge=module.judge,
        wording=getattr(module, "WORDING", None),
        sources=getattr(module, "SOURCES", None),
        **optional,
    )


class Registry:
    """Kinds by (kind, version). `current` maps each kind to its newest version, which new evaluations use."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds: Mapping[tuple[str, int], Kind] = MappingProxyType(
            {(each.kind, each.version): each for each in kinds}
        )
        self.current: Mapping[str, int] = MappingProxyType(
            {kind: max(version for name, version in self.kinds if name == kind) for kind, _ in self.kinds}
        )


REGISTRY: Final = Registry(
    kind_of(module)
    for module in (
        preconditions_1,
        preconditions_2,
        freeze_window,
        schedule,
        evidence_1,
        evidence_2,
        security_1,
        security_2,
        policy_1,
        policy_2,
        policy_3,
        dependency,
        manual,
        approval_1,
        approval_2,
        approval_3,
    )
)


def current_versions(kinds: Iterable[str], elsewhere: Iterable[Mapping[str, int]] = ()) -> dict[str, int]:
    """`kinds` of a new gate input: for each of these and of the mandatory ones the newest version that all know.

    `elsewhere`: for each other process the newest version of each kind that it knows; a process has no say about a kind
    that it does not know. A kind that this version does not know is left out: its gate is then GATE_UNKNOWN_KIND, now
    and in every later replay.
    """
    asked = [kind for kind in sorted({*kinds, *MANDATORY}) if kind in REGISTRY.current]
    known = [REGISTRY.current, *elsewhere]
    return {kind: min(each.get(kind, REGISTRY.current[kind]) for each in known) for kind in asked}


def wording_of(kind: str) -> Wording:
    """The wording of gates of the kind, of every kindVersion; UNKNOWN for a kind not known here."""
    version = REGISTRY.current.get(kind)
    return (None if version is None else REGISTRY.kinds[kind, version].wording) or UNKNOWN


def sources_of(kind: str) -> Sources:
    """The sources of gates of the kind, of every kindVersion; EVERYTHING for a kind not known here."""
    version = REGISTRY.current.get(kind)
    return (None if version is None else REGISTRY.kinds[kind, version].sources) or EVERYTHING


def who_can_act(kind: str, version: int, details: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the people who could act on a judged gate now, from its details. Empty for gates that wait for no one."""
    known = REGISTRY.kinds.get((kind, version))
    try:
        return known.who_can_act(details) if known else ()
    except KeyError:  # the details of a gate that ended in an error have another form
        return ()


def describe() -> list[dict[str, Any]]:
    """Every kind this version has, in the order in which they are judged (contract.md, GET /promotion-gates)."""
    kinds = (REGISTRY.kinds[key] for key in REGISTRY.current.items())
    return [
        {
            "kind": each.kind,
            "kindVersion": each.version,
            "rank": each.rank,
            "summary": each.summary,
            "mandatory": each.kind in MANDATORY,
            "configSchema": each.config_schema,
            "requiresPolicy": each.kind == "policy",
            "requiresAttestation": each.kind == "evidence",
            "requiresApproval": wording_of(each.kind).act is not None,
        }
        for each in sorted(kinds, key=lambda each: (each.rank, each.kind))
    ]
