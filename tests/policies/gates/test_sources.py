"""Every kind of gate declares which keys and feeds its gates read, so that these guard an environment
(docs/adr/0186): one that reads evidence and declares nothing is found here."""

from dataclasses import replace
from typing import Any

import pytest

from policies.gates import REGISTRY, Registry, sources_of
from policies.gates.sources import EVERYTHING, NOTHING, Sources
from tests.policies.cases import Case
from tests.policies.gates.test_wording import CONFIGS, config_of

KINDS = REGISTRY.current
KEY = frozenset({"build", "key-id"})


def wrongly_declared(registry: Registry) -> set[tuple[str, int]]:
    """The newest version of a kind that declares nothing, and an older one whose declaration nobody reads."""
    return {
        key
        for key, each in registry.kinds.items()
        if (each.sources is not None) is not (registry.current[each.kind] == each.version)
    }


def test_the_newest_version_of_every_kind_declares_its_sources() -> None:
    assert wrongly_declared(REGISTRY) == set()


def test_a_kind_that_declares_none_is_found() -> None:
    horoscope = replace(REGISTRY.kinds["manual", 1], kind="horoscope", sources=None)
    assert wrongly_declared(Registry([*REGISTRY.kinds.values(), horoscope])) == {("horoscope", 1)}


def test_a_kind_nobody_knows_reads_everything() -> None:
    assert sources_of("horoscope") is EVERYTHING
    assert EVERYTHING.key({}, KEY)
    assert EVERYTHING.feed({}, "kev", "production")


class Unread(AssertionError):
    pass


class WithoutEvidence(dict[str, Any]):
    """Facts without evidence, where keys and feeds are told: reading it raises."""

    def __getitem__(self, name: str) -> Any:
        return self.get(name) if name in self else super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name == "evidence":
            raise Unread
        return super().get(name, default)


def reads_evidence(kind: str) -> bool:
    case = Case(gates_=[{"kind": kind, "name": "gate", "config": CONFIGS[kind]}])
    case.facts = WithoutEvidence({"evidence": None, **case.facts})  # type: ignore[assignment]
    gate = next(each for each in case.judged().gates if each.type == kind)
    return gate.details == {"error": "Unread"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_sources_where_it_reads_evidence(kind: str) -> None:
    assert (sources_of(kind) is not NOTHING) is reads_evidence(kind)


def told(sources: Sources, config: dict[str, Any]) -> tuple[bool, bool, bool]:
    """Whether a gate with this config reads the key, the KEV feed and the EPSS feed in production."""
    return (
        sources.key(config, KEY),
        sources.feed(config, "kev", "production"),
        sources.feed(config, "epss", "production"),
    )


NOT_THERE = {"production": {"kev-blocker": None}}


@pytest.mark.parametrize(
    ("kind", "changes", "reads"),
    [
        # a gate that names no key believes every trusted one
        ("evidence", {"trustedKeys": []}, (True, False, False)),
        ("evidence", {"trustedKeys": ["build"]}, (True, False, False)),
        ("evidence", {"trustedKeys": ["other"]}, (False, False, False)),
        # by its id
        ("evidence", {"trustedKeys": ["key-id"]}, (True, False, False)),
        # a gate that names none believes people only
        ("security", {"trustedKeys": []}, (False, True, False)),
        ("security", {"trustedKeys": ["build"]}, (True, True, False)),
        # the rule is not applied in this environment
        ("security", {"trustedKeys": ["other"], "environments": NOT_THERE}, (False, False, False)),
        ("security", {"rules": {"epss-threshold": {}}, "trustedKeys": ["other"]}, (False, False, True)),
        # its text may ask for any
        ("policy", {}, (True, True, True)),
    ],
)
def test_what_a_gate_reads_follows_from_its_settings(
    kind: str, changes: dict[str, Any], reads: tuple[bool, bool, bool]
) -> None:
    assert told(sources_of(kind), {**config_of(kind), **changes}) == reads


NO_DELTA = {"production": {"cve-delta": None}}


@pytest.mark.parametrize(
    ("kind", "changes", "reads"),
    [
        ("policy", {}, True),
        ("security", {}, False),
        ("security", {"rules": {"cve-delta": {}}}, True),
        ("security", {"rules": {"cve-delta": {}}, "environments": NO_DELTA}, False),
        ("manual", {}, False),
    ],
)
def test_whether_a_gate_judges_products_follows_too(kind: str, changes: dict[str, Any], reads: bool) -> None:
    assert sources_of(kind).product({**config_of(kind), **changes}, "production") is reads


def test_a_kind_nobody_knows_judges_products() -> None:
    assert EVERYTHING.product({}, "production")
