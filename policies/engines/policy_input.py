"""The input of a policy as code: a documented projection of the gate input and of the documents it names.

Two parts: the situation, which is small and new at each evaluation, and the content of the documents, which is large,
stays the same for as long as the bundle does, and is kept as bytes (docs/policy-gate.md; why these: docs/adr/0062).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, Final

import orjson

from policies.document_facts import (
    COMPONENTS_SCHEMA,
    FINDINGS_SCHEMA,
    VEX_SCHEMA,
    DocumentFact,
    EvidenceFact,
)
from policies.facts import GateInput
from stellapromote.json_schema import Schema
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

SCHEMA: Final = "stella.policy-input/v1"

MOST_KEPT_BYTES: Final = 32 * 1024 * 1024

SITUATION: Final = ("schema", "instant", "promotion", "release", "source", "target", "people", "evidence")
FROM_DOCUMENTS: Final = ("attestations", "components", "findings", "summary", "vex")
SINCE_VERSION_2: Final = ("documents",)
"""The fields that only gates of kindVersion 2 have beside those."""

Read = Callable[[str], Mapping[str, Any]]
"""A parsed document by its digest; raises when it is missing."""


@dataclass(frozen=True)
class FromDocuments:
    """The fields of FROM_DOCUMENTS, and of SINCE_VERSION_2 for gates that have them, each as its canonical bytes."""

    parts: Mapping[str, bytes]

    @cached_property
    def content(self) -> bytes:
        return _joined(self.parts)

    @cached_property
    def digest(self) -> str:
        return digest_bytes(self.content)


@dataclass(frozen=True)
class PolicyInput:
    """`stella.policy-input/v1`. `situation` are the small fields, `documents` the large ones."""

    situation: Mapping[str, Any]
    documents: FromDocuments

    @cached_property
    def content(self) -> bytes:
        """The canonical bytes of the whole."""
        small = {name: canonical_bytes(value) for name, value in self.situation.items()}
        return _joined({**small, **self.documents.parts})

    @cached_property
    def digest(self) -> str:
        return digest_bytes(self.content)


def policy_input(facts: GateInput, documents: FromDocuments) -> PolicyInput:
    """The input of every policy gate of one evaluation. Pure; people stand in it by username, never all candidates."""
    promotion = facts["promotion"]
    evidence = facts.get("evidence")
    situation: dict[str, Any] = {
        "schema": SCHEMA,
        "instant": facts["instant"],
        "promotion": {**promotion, "change": promotion["change"]},
        "release": facts["release"],
        "source": facts["source"],
        "target": facts["target"],
        "people": {
            "excluded": sorted(
                ({"username": each["username"], "reasons": each["reasons"]} for each in _excluded(facts)),
                key=lambda each: str(each["username"]),
            ),
            "votes": sorted(
                (
                    {"username": each["username"], "verdict": each["verdict"], "teams": sorted(each["teams"])}
                    for each in facts["votes"]
                ),
                key=lambda each: str(each["username"]),
            ),
            "confirmations": sorted(
                (
                    {"gate": each["gate"], "username": each["username"], "teams": sorted(each["teams"])}
                    for each in facts["confirmations"]
                ),
                key=lambda each: (str(each["gate"]), str(each["username"])),
            ),
        },
        "evidence": None if evidence is None else _evidence(evidence),
    }
    return PolicyInput(situation, documents)


def _excluded(facts: GateInput) -> list[Any]:
    return list(facts["requirements"]["excludedPersons"])


def _evidence(fact: EvidenceFact) -> dict[str, Any]:
    return {
        "bundleId": fact["bundleId"],
        "bundleDigest": fact["bundleDigest"],
        "kevPublishedAt": None if fact["kev"] is None else fact["kev"]["publishedAt"],
        "epssPublishedAt": None if fact["epss"] is None else fact["epss"]["publishedAt"],
    }


def no_documents(version: int) -> FromDocuments:
    """The fields of FROM_DOCUMENTS for a policy gate of this kindVersion without documents."""
    empty = ("attestations", "components", "findings", "vex", *(SINCE_VERSION_2 if version >= 2 else ()))
    summary = b'{"critical":0,"high":0,"kev":0,"low":0,"medium":0,"none":0,"total":0,"unknown":0}'
    return FromDocuments({**dict.fromkeys(empty, b"[]"), "summary": summary})


def documents_key(fact: EvidenceFact, version: int) -> tuple[Any, ...]:
    """Two evidence facts with the same key give the same FromDocuments."""
    extracts = (None if feed is None else feed["extract"] for feed in (fact["kev"], fact["epss"]))
    return (version, fact["bundleDigest"], *extracts, *sorted(key["keyId"] for key in fact["trustedKeys"]))


def from_documents(fact: EvidenceFact, read: Read, version: int) -> FromDocuments:
    """The fields that a bundle's documents and the feeds give to a policy gate of this kindVersion. Raises as `read`.

    Cost: some 20 ms for 5,000 findings.
    """
    listed = {entry["cve"] for entry in read(fact["kev"]["extract"])["entries"]} if fact["kev"] else set()
    scores = {each["cve"]: each["epss"] for each in read(fact["epss"]["extract"])["scores"]} if fact["epss"] else {}
    trusted = {key["keyId"] for key in fact["trustedKeys"]}
    found: dict[str, list[dict[str, Any]]] = {"attestations": [], "components": [], "findings": [], "vex": []}
    found |= {name: [] for name in SINCE_VERSION_2 if version >= 2}
    for document in read(fact["bundleDigest"])["documents"]:
        parsed = read(document["parsed"])
        origin = _origin(document, trusted)
        if "documents" in found:
            found["documents"].append(_document(document, parsed, trusted=origin["trusted"]))
        if parsed["schema"] == FINDINGS_SCHEMA:
            for each in parsed["findings"]:
                names = (each["id"], *each["aliases"])
                epss = max((scores[name] for name in names if name in scores), default=None)
                kev = any(name in listed for name in names)
                found["findings"].append({**each, **origin, "kev": kev, "epss": epss})
        elif parsed["schema"] == COMPONENTS_SCHEMA:
            found["components"] += [
                {**each, "artifactDigest": origin["artifactDigest"]} for each in parsed["components"]
            ]
        elif parsed["schema"] == VEX_SCHEMA:
            found["vex"] += [{**each, **origin} for each in parsed["statements"]]
        else:
            said = {"predicateType": parsed["predicateType"], "subjects": parsed["subjects"]}
            found["attestations"].append({**said, **origin})
    parts = {name: _sorted(items) for name, items in found.items()}
    return FromDocuments({**parts, "summary": canonical_bytes(_summary(found["findings"]))})


def remembered(fact: EvidenceFact, read: Read, version: int) -> FromDocuments:
    """from_documents, kept between evaluations: the documents of a bundle never change. For any number of threads."""
    key = documents_key(fact, version)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = from_documents(fact, read, version)
    with _lock:
        _kept[key] = made
        while len(_kept) > 1 and sum(len(each.content) for each in _kept.values()) > MOST_KEPT_BYTES:
            _kept.popitem(last=False)
    return made


_kept: Final[OrderedDict[tuple[Any, ...], FromDocuments]] = OrderedDict()
_lock: Final = Lock()


def _origin(document: DocumentFact, trusted: set[str]) -> dict[str, Any]:
    """Where an entry stands: the artifact, the document it is from, and whether a trusted key signed that document."""
    return {
        "artifactDigest": document["artifactDigest"],
        "document": document["digest"],
        "trusted": document["signer"] in trusted,
    }


def _document(document: DocumentFact, parsed: Mapping[str, Any], *, trusted: bool) -> dict[str, Any]:
    """The entry of one document, without its content. `leftOut`: the number of parts its reader left out;
    `schemaValid`: False, or None where nothing is known against it."""
    return {
        "artifactDigest": document["artifactDigest"],
        "kind": document["kind"],
        "format": document["format"],
        "producer": document["producer"],
        "trusted": trusted,
        "leftOut": sum(each["number"] for each in parsed.get("leftOut", ())),
        "schemaValid": document.get("schemaValid"),
        "about": document.get("about"),
    }


def _summary(findings: list[dict[str, Any]]) -> dict[str, int]:
    """Distinct findings by severity: one that two reports name counts once, as the worse of the two."""
    rank = {word: number for number, word in enumerate(("none", "low", "medium", "high", "critical"))}
    worst: dict[tuple[Any, ...], str] = {}
    kev = set()
    for each in findings:
        key = (each["artifactDigest"], each["id"], each["component"], each["version"])
        if key not in worst or rank.get(each["severity"], -1) > rank.get(worst[key], -1):
            worst[key] = each["severity"]
        if each["kev"]:
            kev.add(key)
    count = dict.fromkeys(("critical", "high", "medium", "low", "none", "unknown"), 0)
    for severity in worst.values():
        count[severity] += 1
    return {**count, "total": len(worst), "kev": len(kev)}


def _sorted(items: list[dict[str, Any]]) -> bytes:
    """The canonical bytes of the items, in the order of their own canonical bytes: the same set has the same bytes."""
    return b"[" + b",".join(sorted(_entry(each) for each in items)) + b"]"


def _entry(item: dict[str, Any]) -> bytes:
    """canonical_bytes, some twenty times faster: the numbers here are scores from 0 to 10, which both write alike.

    RFC 8785 writes 9.0 as 9, and orjson differs from it below 0.000001 only; keys are ASCII.
    """
    for name in ("cvss", "epss"):
        value = item.get(name)
        if isinstance(value, float):
            if value.is_integer():
                item[name] = int(value)
            elif abs(value) < 1e-5:
                return canonical_bytes(item)
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _joined(parts: Mapping[str, bytes]) -> bytes:
    """A canonical object from its canonical members; names are ASCII."""
    return b"{" + b",".join(orjson.dumps(name) + b":" + parts[name] for name in sorted(parts)) + b"}"


_TEXT: Final[Schema] = {"type": "string"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Final[Schema] = {"type": ["number", "null"]}
_TRUTH: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}


def _object(_optional: Sequence[str] = (), /, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted({*properties} - {*_optional}),
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_SEVERITY: Final[Schema] = {"enum": ["critical", "high", "medium", "low", "none", "unknown"]}
_ORIGIN: Final = {"artifactDigest": _TEXT, "document": _TEXT, "trusted": _TRUTH}

JSON_SCHEMA: Final[Schema] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Input of a policy gate",
    **_object(
        SINCE_VERSION_2,
        schema={"const": SCHEMA},
        instant={"type": "string", "format": "date-time"},
        promotion=_object(
            id=_TEXT,
            number=_COUNT,
            product=_TEXT,
            isRollback=_TRUTH,
            requestedAt=_TEXT,
            requestedById=_TEXT,
            change=_nullable(_object(ref=_TEXT_OR_NULL, url=_TEXT_OR_NULL, type=_TEXT_OR_NULL, backout=_TEXT_OR_NULL)),
        ),
        release=_object(id=_TEXT, name=_TEXT, status=_TEXT, manifestDigest=_TEXT_OR_NULL),
        source=_nullable(_object(id=_TEXT, name=_TEXT, deployed=_TRUTH)),
        target=_object(id=_TEXT, name=_TEXT, isProduction=_TRUTH, archived=_TRUTH, currentReleaseId=_TEXT_OR_NULL),
        people=_object(
            excluded=_list(_object(username=_TEXT, reasons=_TEXTS)),
            votes=_list(_object(username=_TEXT, verdict={"enum": ["approve", "reject"]}, teams=_TEXTS)),
            confirmations=_list(_object(gate=_TEXT, username=_TEXT, teams=_TEXTS)),
        ),
        evidence=_nullable(
            _object(bundleId=_TEXT, bundleDigest=_TEXT, kevPublishedAt=_TEXT_OR_NULL, epssPublishedAt=_TEXT_OR_NULL)
        ),
        findings=_list(
            _object(
                ("scannerSeverity", "severityWithoutScore", "unscored", "suppressed"),
                id=_TEXT,
                aliases=_TEXTS,
                purl=_TEXT_OR_NULL,
                component=_TEXT,
                version=_TEXT_OR_NULL,
                severity=_SEVERITY,
                scannerSeverity=_SEVERITY,
                severityWithoutScore=_SEVERITY,
                unscored={"const": True},
                suppressed=_TEXT,
                cvss=_NUMBER_OR_NULL,
                reachable={"type": ["boolean", "null"]},
                publishedAt=_TEXT_OR_NULL,
                fixedVersion=_TEXT_OR_NULL,
                kev=_TRUTH,
                epss=_NUMBER_OR_NULL,
                **_ORIGIN,
            )
        ),
        components=_list(_object(name=_TEXT, version=_TEXT_OR_NULL, purl=_TEXT_OR_NULL, artifactDigest=_TEXT)),
        vex=_list(
            _object(
                vulnerability=_TEXT,
                aliases=_TEXTS,
                products=_TEXTS,
                status={"enum": ["not_affected", "affected", "fixed", "under_investigation"]},
                justification=_TEXT_OR_NULL,
                statedAt=_TEXT_OR_NULL,
                **_ORIGIN,
            )
        ),
        attestations=_list(_object(predicateType=_TEXT, subjects=_TEXTS, **_ORIGIN)),
        documents=_list(
            _object(
                artifactDigest=_TEXT,
                kind={"enum": ["sbom", "vulnerabilities", "vex", "attestation"]},
                format=_TEXT,
                producer=_TEXT,
                trusted=_TRUTH,
                leftOut=_COUNT,
                schemaValid={"enum": [False, None]},
                about=_TEXT_OR_NULL,
            )
        ),
        summary=_object(
            **dict.fromkeys(("critical", "high", "medium", "low", "none", "unknown", "total", "kev"), _COUNT)
        ),
    ),
}
"""The input as JSON Schema (2020-12), which docs/policy-input.schema.json publishes and a test holds against inputs."""
