"""The judge of evidence gates of every version, and their settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from policies.context import Context
from policies.document_facts import ATTESTATION_SCHEMA, Bundle, DocumentFact, EvidenceFact
from policies.facts import GateInput
from policies.outcomes import Verdict
from policies.security import parts
from policies.security.ages import too_old_at
from policies.security.bundles import bundle
from policies.security.trust import live_keys
from stellapromote.errors import FieldError
from stellapromote.json_schema import below

RANK: Final = 30
SUMMARY: Final = "Each artifact has the required documents, signed by trusted keys and young enough."

MOST_LISTED: Final = 50
"""The most missing documents listed in details; their number stands beside them."""

SBOM_FORMATS: Final = ["cyclonedx", "spdx"]

VERSION_1: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "requireSbom": {"type": "boolean", "default": True, "description": "Each artifact has an SBOM."},
        "formats": {
            "type": "array",
            "maxItems": len(SBOM_FORMATS),
            "x-set": True,
            "default": [],
            "items": {"type": "string", "enum": SBOM_FORMATS},
            "description": "The formats that the SBOM may have; none named: any.",
        },
        "requiredPredicateTypes": {
            "type": "array",
            "maxItems": 20,
            "x-set": True,
            "default": [],
            "items": {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"},
            "description": "Each artifact has an attestation of each of these types.",
        },
        "trustedKeys": {
            "type": "array",
            "maxItems": 50,
            "x-set": True,
            "default": [],
            "items": {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"},
            "description": "Names or key ids of the tenant's trusted keys, one of which signed each required document. "
            "None named: an SBOM needs no signature, and an attestation one of any trusted key.",
        },
        "maxAge": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 3660 * 24 * 60 * 60,
            "default": None,
            "description": "Seconds after which a document is too old; null: never.",
        },
    },
}

VERSION_2: Final[dict[str, Any]] = {
    **VERSION_1,
    "properties": {
        **VERSION_1["properties"],
        "requireValidSchema": {
            "type": "boolean",
            "default": False,
            "description": "An SBOM does not do that breaks the schema of its format.",
        },
    },
}
"""The settings by version: what was published with a version is read by it for ever."""

_CODES: Final = (
    "EVIDENCE_MISSING",
    "EVIDENCE_FORMAT",
    "EVIDENCE_INVALID",
    "EVIDENCE_UNTRUSTED",
    "EVIDENCE_STALE",
)
"""The codes in the order of the checks: the later the code, the less is lacking."""


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """Checks that the gate requires a document."""
    errors = []
    if not config["requireSbom"] and not config["requiredPredicateTypes"]:
        message = "This must ask for an SBOM or name a predicate type: the gate would ask for nothing."
        errors.append(FieldError(below(field, "requiredPredicateTypes"), message, "invalid"))
    for setting in ("formats", "requireValidSchema"):
        if config.get(setting) and not config["requireSbom"]:
            message = "This is about the SBOM, and requireSbom is false: leave it out."
            errors.append(FieldError(below(field, setting), message, "invalid"))
    return errors


@dataclass(frozen=True, slots=True)
class _DocumentCheck:
    """The result for one required document: the code against it, or until when it does. `about`: the platform of the
    artifact that it is about."""

    artifact: str
    about: str | None
    what: str
    code: str | None
    document: str | None = None
    ends_at: str | None = None
    strays: bool = False


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """Passes when one document each is of the right kind and format, trusted and young; its next change is an age."""
    evidence = facts.get("evidence")
    found = None if evidence is None else bundle(context, evidence["bundleDigest"])
    if evidence is None or found is None or not found["artifacts"]:
        message = "No documents of this release were there: upload them, then take a new evidence bundle."
        return Verdict(context.on_error, ("EVIDENCE_MISSING",), {"required": 0, "lacking": [], "used": []}, message)
    everything = [
        each
        for artifact in sorted(found["artifacts"])
        for what, documents in _required(found, artifact, config, context)
        for each in _checks(found, artifact, what, documents, evidence, config, facts["instant"])
    ]
    lacking = [each for each in everything if each.code is not None]
    details = {
        "required": len(everything),
        "lacking": [_lacking_details(each) for each in lacking[:MOST_LISTED]],
        "lackingCount": len(lacking),
        "used": sorted({each.document for each in everything if each.code is None and each.document})[:MOST_LISTED],
    }
    ends = min((each.ends_at for each in everything if each.ends_at is not None), default=None)
    if not lacking:
        return Verdict("pass", (), details, _all_there(len(everything)), ends)
    codes = tuple(code for code in _CODES if any(each.code == code for each in lacking))
    return Verdict(context.on_error, codes, details, _message(lacking), ends)


def _lacking_details(lacking: _DocumentCheck) -> dict[str, Any]:
    return {
        "artifact": lacking.artifact,
        "what": lacking.what,
        "code": lacking.code,
        "document": lacking.document,
        **({} if lacking.about is None else {"about": lacking.about}),
    }


def _required(
    found: Bundle, artifact: str, config: Mapping[str, Any], context: Context
) -> list[tuple[str, list[DocumentFact]]]:
    """Each document that an artifact must have, and those there that might be it."""
    own = [each for each in found["documents"] if each["artifactDigest"] == artifact]
    required = []
    if config["requireSbom"]:
        required.append(("sbom", [each for each in own if each["kind"] == "sbom"]))
    for predicate_type in config["requiredPredicateTypes"]:
        of_type = [each for each in own if each["predicateType"] == predicate_type]
        required.append((predicate_type, [each for each in of_type if _speaks_of_it(each, context)]))
    return required


def _speaks_of_it(document: DocumentFact, context: Context) -> bool:
    """Whether an attestation's statement has the artifact, or a platform of it, among its subjects. Of other documents
    the upload has checked that."""
    if document["kind"] != "attestation":
        return True
    statement = context.document(document["parsed"])
    if statement["schema"] != ATTESTATION_SCHEMA:
        raise ValueError("no attestation")
    return document.get("about", document["artifactDigest"]) in statement["subjects"]


def _checks(
    found: Bundle,
    artifact: str,
    what: str,
    documents: Iterable[DocumentFact],
    evidence: EvidenceFact,
    config: Mapping[str, Any],
    instant: str,
) -> list[_DocumentCheck]:
    """The checks of the document for the artifact itself or, where that does not do, for each of its platforms."""
    own = parts.split_by_platform(found, artifact, documents)
    whole = replace(_check_document(artifact, None, what, own.whole, evidence, config, instant), strays=own.strays)
    of_parts = [
        _check_document(artifact, about, what, those, evidence, config, instant) for about, those in own.parts.items()
    ]
    return parts.deciding_checks(whole, of_parts, _CODES[0])


def _check_document(
    artifact: str,
    about: str | None,
    what: str,
    documents: Sequence[DocumentFact],
    evidence: EvidenceFact,
    config: Mapping[str, Any],
    instant: str,
) -> _DocumentCheck:
    """The best of the documents: one must be everything at once; else the furthest that any of them came."""
    named = config["trustedKeys"] or [key["keyId"] for key in evidence["trustedKeys"]]
    keys = live_keys(evidence, named)
    unsigned_will_do = what == "sbom" and not config["trustedKeys"]
    best = _DocumentCheck(artifact, about, what, _CODES[0])
    for document in documents:
        limit = too_old_at(document, config["maxAge"])
        if what == "sbom" and config["formats"] and document["format"] not in config["formats"]:
            code: str | None = "EVIDENCE_FORMAT"
        elif what == "sbom" and config.get("requireValidSchema") and document.get("schemaValid") is False:
            code = "EVIDENCE_INVALID"
        elif document["signer"] not in keys and not unsigned_will_do:
            code = "EVIDENCE_UNTRUSTED"
        elif limit is not None and limit <= instant:
            code = "EVIDENCE_STALE"
        else:
            code = None
        seen = _DocumentCheck(artifact, about, what, code, document["digest"], limit if code is None else None)
        if _better(seen, best):
            best = seen
    return best


def _better(one: _DocumentCheck, other: _DocumentCheck) -> bool:
    return _order(one) > _order(other)


def _order(found: _DocumentCheck) -> tuple[int, int, str, str]:
    """The further a document came the better; of those that do the one that does so longest, then by digest."""
    reached = len(_CODES) if found.code is None else _CODES.index(found.code)
    return reached, found.ends_at is None, found.ends_at or "", found.document or ""


def _all_there(number: int) -> str:
    return "The required document is there." if number == 1 else f"All {number} required documents are there."


def _message(lacking: Sequence[_DocumentCheck]) -> str:
    first = min(
        lacking, key=lambda each: (_CODES.index(each.code or _CODES[0]), each.artifact, each.what, each.about or "")
    )
    what = "SBOM" if first.what == "sbom" else f"attestation of type {first.what}"
    why = {
        "EVIDENCE_MISSING": f"has no {what}",
        "EVIDENCE_FORMAT": f"has an {what} in another format only",
        "EVIDENCE_INVALID": f"has no {what} that is valid by the schema of its format",
        "EVIDENCE_UNTRUSTED": f"has no {what} that a trusted key has signed",
        "EVIDENCE_STALE": f"has no {what} that is young enough",
    }[first.code or _CODES[0]]
    others = f" ({len(lacking) - 1} more are lacking)" if len(lacking) > 1 else ""
    which = parts.in_words(first.artifact, first.about)
    hint = f" ({parts.HINT})" if first.strays and first.code == _CODES[0] else ""
    return f"{which[0].upper()}{which[1:]} {why}{hint}{others}: upload one, then take a new evidence bundle."
