"""Everything that a stored gate input names by digest: the one place that lists it (docs/adr/0010, domain.md §7).

An input may also be sent by somebody, and blobs belong to nobody: a digest in the place of candidates or of a feed's
extract gets a blob of that kind only, so that nobody learns whether something else is stored.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from policies.evidence_facts import BUNDLE_SCHEMA, EPSS_SCHEMA, KEV_SCHEMA
from policies.facts import CANDIDATES_SCHEMA
from policies.stored_documents import documents
from promotions.blobs import blobs
from promotions.evidence_gathering import parsed_of
from promotions.models import EvidenceBundle


def documents_of(tenant_id: UUID, gate_input: Mapping[str, Any]) -> dict[str, Any]:
    """Policies, candidates, bundles, parsed documents and feed extracts of the input, by digest.

    Policies are parsed, the rest are canonical bytes. One that is missing, or a bundle that the tenant does not have,
    is absent: the gate that needs it is then in error.
    Cost: no statement for what was used lately, at most five otherwise.
    """
    requirements = gate_input["requirements"]
    policies = [requirements["promotionPolicy"], *requirements["approvalPolicies"]]
    found: dict[str, Any] = {**documents(tenant_id, (each["digest"] for each in policies))}
    candidates = gate_input["candidates"]
    if isinstance(candidates, Mapping):
        found |= _of_schema({candidates["digest"]: CANDIDATES_SCHEMA})
    evidence = gate_input.get("evidence")
    if evidence is not None:
        found |= _of_evidence(tenant_id, evidence)
    return found


def _of_evidence(tenant_id: UUID, evidence: Any) -> dict[str, bytes]:
    """A bundle opens the documents it names, so it must be the tenant's own; feed extracts are public facts."""
    bundles = {evidence["bundleDigest"], evidence["currentBundleDigest"]} - {None}
    feeds = ((evidence["kev"], KEV_SCHEMA), (evidence["epss"], EPSS_SCHEMA))
    expected = {feed["extract"]: schema for feed, schema in feeds if feed is not None}
    owned = EvidenceBundle.objects.filter(tenant_id=tenant_id, content_id__in=bundles)
    expected |= dict.fromkeys(owned.values_list("content_id", flat=True), BUNDLE_SCHEMA)
    found = _of_schema(expected)
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
