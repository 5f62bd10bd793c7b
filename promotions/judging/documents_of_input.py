"""Everything that a stored gate input names by digest: the one place that lists it (docs/adr/0010, domain.md §7).

A caller may also send an input, and blobs have no tenant. Candidates and feed extracts of such an input are read only
where a record of that promotion, of the same tenant, names them in the same place: else a caller who guesses the
content of a blob would learn whether any tenant has it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from policies.document_facts import BUNDLE_SCHEMA, EPSS_SCHEMA, KEV_SCHEMA
from policies.facts import CANDIDATES_SCHEMA, policies_named
from policies.stored_documents import documents
from promotions.documents.blobs import blobs
from promotions.judging.document_gathering import parsed_of
from promotions.models import DecisionRecord, EvidenceBundle


def documents_of(tenant_id: UUID, gate_input: Mapping[str, Any], *, sent: bool = False) -> dict[str, Any]:
    """Policies, candidates, bundles, parsed documents and feed extracts of the input, by digest.

    Policies are parsed, the rest are canonical bytes. One that is missing, or a bundle that the tenant does not have,
    is absent: the gate that needs it is then in error. ``sent``: the input comes from a caller, and not from a record.
    Cost: no statement for contents used lately, at most five otherwise; one more for an input that was sent.
    """
    policies = (each["digest"] for each in policies_named(gate_input["requirements"]))
    found: dict[str, Any] = {**documents(tenant_id, policies)}
    expected = _candidates_and_extracts(gate_input)
    if sent:
        known = _known(tenant_id, gate_input["promotion"]["id"])
        expected = {digest: schema for digest, schema in expected.items() if (digest, schema) in known}
    found |= _of_schema(expected)
    evidence = gate_input.get("evidence")
    if evidence is not None:
        found |= _of_bundles(tenant_id, evidence)
    return found


def _candidates_and_extracts(gate_input: Mapping[str, Any]) -> dict[str, str]:
    """The schema of each, by digest."""
    candidates, evidence = gate_input["candidates"], gate_input.get("evidence") or {}
    found = {}
    if isinstance(candidates, Mapping):
        found[candidates["digest"]] = CANDIDATES_SCHEMA
    for kind, schema in (("kev", KEV_SCHEMA), ("epss", EPSS_SCHEMA)):
        if (feed := evidence.get(kind)) is not None:
            found[feed["extract"]] = schema
    return found


def _known(tenant_id: UUID, promotion_id: str) -> set[tuple[str, str]]:
    """The digests that records of the tenant's promotion name, with the schemas. One statement."""
    try:
        records = DecisionRecord.objects.filter(tenant_id=tenant_id, promotion_id=UUID(promotion_id))
    except ValueError:
        return set()
    inputs = records.values_list("input", flat=True)
    return {named for each in inputs for named in _candidates_and_extracts(orjson.loads(bytes(each))).items()}


def _of_bundles(tenant_id: UUID, evidence: Any) -> dict[str, bytes]:
    """A bundle opens the documents it names, so it must be the tenant's own."""
    bundles = {evidence["bundleDigest"], evidence["currentBundleDigest"]} - {None}
    owned = EvidenceBundle.objects.filter(tenant_id=tenant_id, content_id__in=bundles)
    found = _of_schema(dict.fromkeys(owned.values_list("content_id", flat=True), BUNDLE_SCHEMA))
    parsed = [digest for bundle in bundles if bundle in found for digest in parsed_of(found[bundle])]
    return found | blobs(parsed)


def _of_schema(expected: Mapping[str, str]) -> dict[str, bytes]:
    """The blobs that are of the schema expected of each; another is absent, like one that is not stored."""
    found = blobs(expected)
    return {digest: content for digest, content in found.items() if _has_schema(content, expected[digest])}


def _has_schema(content: bytes, schema: str) -> bool:
    if f'"schema":"{schema}"'.encode() not in content:
        return False
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.get("schema") == schema
