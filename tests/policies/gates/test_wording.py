"""Every kind of gate declares what is said about it (domain.md §6): one that declares nothing is found here."""

from dataclasses import replace
from typing import Any

import pytest

from policies.documents import promotion_policy
from policies.gates import REGISTRY, Kind, Registry, wording_of
from policies.gates.wording import UNKNOWN
from tests.policies.cases import Case

CONFIGS: dict[str, dict[str, Any]] = {
    "preconditions": {},
    "freeze-window": {},
    "schedule": {"windows": [{"start": "2026-11-23T08:00:00", "end": "2026-11-23T16:00:00"}]},
    "evidence": {},
    "security": {"rules": {"kev-blocker": {}}, "trustedKeys": ["build"]},
    "policy": {"text": "true"},
    "dependency": {"targets": [{"type": "http", "url": "https://db.example.org/health"}]},
    "manual": {"confirmers": {"teams": ["release"]}, "text": "Backup checked"},
    "approval": {},
}
KINDS = REGISTRY.current


def config_of(kind: str) -> dict[str, Any]:
    document = promotion_policy({"gates": [{"kind": kind, "name": "gate", "config": CONFIGS[kind]}]}).content
    return next(gate["config"] for gate in document["gates"] if gate["kind"] == kind)


def wrongly_worded(registry: Registry) -> set[tuple[str, int]]:
    """The newest version of a kind that declares nothing, and an older one whose declaration nobody reads."""
    return {
        key
        for key, each in registry.kinds.items()
        if (each.wording is not None) is not (registry.current[each.kind] == each.version)
    }


def test_the_newest_version_of_every_kind_declares_what_is_said() -> None:
    assert wrongly_worded(REGISTRY) == set()


def test_a_kind_that_declares_nothing_is_found() -> None:
    horoscope = replace(REGISTRY.kinds["manual", 1], kind="horoscope", wording=None)
    assert wrongly_worded(Registry([*REGISTRY.kinds.values(), horoscope])) == {("horoscope", 1)}


def test_a_newer_version_that_declares_nothing_is_found() -> None:
    newer = replace(REGISTRY.kinds["manual", 1], version=2, wording=None)
    assert wrongly_worded(Registry([*REGISTRY.kinds.values(), newer])) == {("manual", 1), ("manual", 2)}


def test_of_a_kind_nobody_knows_is_said_what_is_safe() -> None:
    assert wording_of("horoscope") is UNKNOWN


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_its_gate_asks_for(kind: str) -> None:
    assert wording_of(kind).sentence(config_of(kind)) != UNKNOWN.sentence(config_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_that_stay_are_not_weaker(kind: str) -> None:
    assert wording_of(kind).weaker("gate", config_of(kind), config_of(kind)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_who_or_what_can_change_its_verdict(kind: str) -> None:
    assert wording_of(kind).event.endswith(".")


def test_a_kind_says_what_people_do_where_it_names_who_could() -> None:
    nobody = Kind.__dataclass_fields__["who_can_act"].default
    naming = {kind for kind, version in KINDS.items() if REGISTRY.kinds[kind, version].who_can_act is not nobody}
    assert {kind for kind in KINDS if wording_of(kind).act is not None} == naming


class Unread(AssertionError):
    pass


class WithoutVotes(dict[str, Any]):
    """Facts without votes, confirmations and answers of policies: reading one of them raises."""

    def __getitem__(self, name: str) -> Any:
        return self.get(name) if name in self else super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name in ("votes", "confirmations", "policyAnswers"):
            raise Unread
        return super().get(name, default)


def reads_votes(kind: str) -> bool:
    case = Case(gates_=[{"kind": kind, "name": "gate", "config": CONFIGS[kind]}])
    case.facts = WithoutVotes(case.facts)  # type: ignore[assignment]
    gate = next(each for each in case.judged().gates if each.type == kind)
    return gate.details == {"error": "Unread"}


@pytest.mark.parametrize("kind", KINDS)
def test_votes_stay_hidden_in_what_a_kind_says_that_reads_them(kind: str) -> None:
    assert wording_of(kind).tells_votes is reads_votes(kind)
