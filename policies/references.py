"""Whether the trusted keys, connections, feeds and environments exist that a promotion policy names (domain.md §6).

A name that was published before is not looked up again: a key that was revoked since must not stand in the way of
another edit, and its gate waits as long as it is named.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from policies.documents import InvalidDocument
from policies.security import epss_threshold, kev_blocker
from stellapromote.errors import FieldError

Document = Mapping[str, Any]
Names = Callable[[UUID], Collection[str]]

TRUSTED_KEY: Final = "trusted key"
CONNECTION: Final = "connection"
FEED: Final = "feed"
ENVIRONMENT: Final = "environment"

_FEEDS: Final = {kev_blocker.NAME: "kev", epss_threshold.NAME: "epss"}
_MISSING: Final = {
    TRUSTED_KEY: "There is no trusted key {name}. Correct the name, or trust the key first.",
    CONNECTION: "The platform has no connection {name}. Correct the name, or ask the platform owner to add it to "
    "OPA_CONNECTIONS.",
    ENVIRONMENT: "There is no environment {name}. Correct the name, or create the environment first.",
    FEED: "There is no {name} feed, so the rule would never pass. Upload one first, or leave the rule out.",
}

_names: dict[str, Names] = {CONNECTION: lambda _tenant_id: settings.OPA_CONNECTIONS.keys()}


def register_names(what: str, names: Names) -> None:
    """Registers the source of the names of one kind, by the app that has them (architecture.md, Direction)."""
    _names[what] = names


def check_references(tenant_id: UUID, document: Document, before: Document | None, *, sent: Document) -> None:
    """Raises InvalidDocument with the place of each name that nothing has, as in ``sent``, of which ``document`` is the
    normal form. At most one statement for each kind."""
    places = {gate.get("name", gate["kind"]): index for index, gate in enumerate(sent.get("gates", ()))}
    stood = {
        (gate["name"], what, name) for gate in (before or {"gates": ()})["gates"] for _, what, name in _named(gate)
    }
    wanted = [
        (f"gates[{places[gate['name']]}].config.{place}", what, name)
        for gate in document["gates"]
        for place, what, name in _named(gate)
        if (gate["name"], what, name) not in stood
    ]
    known = {what: frozenset(_names[what](tenant_id)) for what in {what for _, what, _ in wanted}}
    errors = [
        FieldError(place, _MISSING[what].format(name=name.upper() if what == FEED else name), "invalid")
        for place, what, name in wanted
        if name not in known[what]
    ]
    if errors:
        raise InvalidDocument(fields=errors)


def _named(gate: Document) -> Iterator[tuple[str, str, str]]:
    """Place in the config, kind and name of everything that the gate names."""
    config = gate["config"]
    if gate["kind"] == "policy" and "connection" in config:
        yield "connection", CONNECTION, config["connection"]
    if gate["kind"] == "dependency":
        for index, target in enumerate(config["targets"]):
            if "environment" in target:
                yield f"targets[{index}].environment", ENVIRONMENT, target["environment"]
    for index, key in enumerate(config.get("trustedKeys", ())):
        yield f"trustedKeys[{index}]", TRUSTED_KEY, key
    if gate["kind"] == "security":
        yield from ((f"rules.{rule}", FEED, _FEEDS[rule]) for rule in config["rules"] if rule in _FEEDS)
        for environment, rules in config["environments"].items():
            for rule in _FEEDS.keys() & {name for name, changes in rules.items() if changes is not None}:
                yield f"environments.{environment}.{rule}", FEED, _FEEDS[rule]
