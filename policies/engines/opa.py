"""Asking an OPA server about one policy input (docs/adr/0061). Called by the worker only: it touches the world."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from policies.document_facts import PolicyAnswer
from policies.engines.answers import MAY_WAIT, normalized
from policies.engines.ask import answer
from policies.engines.policy_input import PolicyInput
from policies.outbound import TOO_LATE, Allowed, OutboundFailed, Request, fetch, url_problem
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes

MOST_ANSWER_BYTES: Final = 256 * 1024
LONGEST_REVISION: Final = 512


@dataclass(frozen=True, slots=True)
class Connection:
    """A policy server as the platform knows it; policies name it, and never see its address or token."""

    url: str
    token: str = field(default="", repr=False)


def connections(urls: list[str], tokens: list[str]) -> dict[str, Connection]:
    """Connections by name from `name=url` and `name=token`. ValueError, which never holds a token."""
    found: dict[str, Connection] = {}
    for item in urls:
        name, _, url = item.partition("=")
        if not name or url_problem(url) is not None or "?" in url:
            raise ValueError(f"{name or item!r} has no address like http://opa.internal:8181")
        found[name] = Connection(url.rstrip("/"))
    for item in tokens:
        name, _, token = item.partition("=")
        if name not in found or not token or not token.isascii() or not token.isprintable():
            raise ValueError("a token is not written name=token, or its name is that of no connection")
        found[name] = Connection(found[name].url, token)
    return found


def ask_server(
    config: Mapping[str, Any], about: PolicyInput, known: Mapping[str, Connection], allow: Allowed, *, seconds: float
) -> PolicyAnswer:
    """The server's answer to a gate of the newest version, or the code of why there is none. Never raises for what a
    server does."""
    connection = known.get(config["connection"])
    if connection is None:
        return _no_answer(
            about, "GATE_ERROR", f"has no server: the platform knows no connection {config['connection']}"
        )
    headers = {"Content-Type": "application/json"}
    if connection.token:
        headers["Authorization"] = f"Bearer {connection.token}"
    request = Request(
        f"{connection.url}/v1/data/{config['query']}?provenance=true",
        seconds,
        method="POST",
        body=b'{"input":' + about.content + b"}",
        headers=headers,
        most_bytes=MOST_ANSWER_BYTES,
    )
    try:
        said = fetch(request, allow)
    except OutboundFailed as failure:
        code = "GATE_TIMEOUT" if failure.code == TOO_LATE else "GATE_ERROR"
        return _no_answer(about, code, f"was not answered by its server: {failure}")
    if said.status != 200:
        return _no_answer(about, "GATE_ERROR", f"was not answered by its server: it answers with status {said.status}")
    return _read(said.body, about)


def _read(body: bytes, about: PolicyInput) -> PolicyAnswer:
    try:
        document = orjson.loads(body)
        if not isinstance(document, dict):
            raise TypeError
        canonical_bytes(document.get("result"))
        json.loads(body, object_pairs_hook=_unique)
    except (ValueError, TypeError, RecursionError, CanonicalJsonError):
        return _no_answer(about, "GATE_ERROR", "was not answered by its server: what it says is no JSON of a policy")
    result = normalized(document.get("result"), MAY_WAIT)
    return answer("opa", about.digest, result=result, revision=_revision(document))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """ValueError for a name that stands twice in an object: which of its values was meant is unknown."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _revision(document: Mapping[str, Any]) -> str | None:
    """The revision of the bundles that answered: `name@revision`, sorted; None when the server names none."""
    provenance = document.get("provenance")
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    if not isinstance(bundles, dict):
        return None
    named = sorted(
        f"{name}@{each['revision']}"
        for name, each in bundles.items()
        if isinstance(each, dict) and isinstance(each.get("revision"), str)
    )
    line = " ".join(named)
    return line[:LONGEST_REVISION] if line.isprintable() and line else None


def _no_answer(about: PolicyInput, error: str, problem: str) -> PolicyAnswer:
    return answer("opa", about.digest, error=error, problem=problem)
