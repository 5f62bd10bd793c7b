"""Everything that a stored gate input names by digest: the one place that lists it (docs/adr/0010, domain.md §7)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from policies.stored_documents import documents
from promotions.blobs import blobs
from promotions.evidence_gathering import digests_of, parsed_of
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
        found |= blobs([candidates["digest"]])
    evidence = gate_input.get("evidence")
    if evidence is not None:
        found |= _of_evidence(tenant_id, evidence)
    return found


def _of_evidence(tenant_id: UUID, evidence: Any) -> dict[str, bytes]:
    """A bundle opens the documents it names, so it must be the tenant's own; feed extracts are public facts."""
    bundles = {evidence["bundleDigest"], evidence["currentBundleDigest"]} - {None}
    extracts = set(digests_of(evidence)) - bundles
    owned = EvidenceBundle.objects.filter(tenant_id=tenant_id, content_id__in=bundles)
    found = blobs([*owned.values_list("content_id", flat=True), *extracts])
    parsed = [digest for bundle in bundles if bundle in found for digest in parsed_of(found[bundle])]
    return found | blobs(parsed)
