"""The decision record: its bytes and its digests (domain.md §7). Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from policies.facts import GateInput
from policies.outcomes import Evaluation, GateResult
from policies.overrides import override_scope
from stellapromote import VERSION
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import canonical_bytes, digest, digest_bytes

RECORD_SCHEMA = "stella.decision-record/v1"
DETERMINISM_SCHEMA = "stella.determinism/v1"
FINGERPRINT_SCHEMA = "stella.decision-fingerprint/v1"
ENGINE_NAME = "stellapromote"


@dataclass(frozen=True, slots=True)
class Record:
    """``input`` and ``document`` are the canonical bytes that are stored; ``digest`` is that of the document,
    ``fields`` is the parsed one."""

    input: bytes
    document: bytes
    digest: str
    fields: dict[str, Any]


def determinism_hash(*, policy_digest: str, input_digest: str, evaluation: Evaluation) -> str:
    """Covers what a replay must reproduce: never a message or nextChangeAt."""
    return digest(
        {
            "schema": DETERMINISM_SCHEMA,
            "policyDigest": policy_digest,
            "inputDigest": input_digest,
            "decision": evaluation.decision,
            "reasonCodes": list(evaluation.reason_codes),
            "gates": [gate.as_determined() for gate in evaluation.gates],
        }
    )


def fingerprint(evaluation: Evaluation, *, votes: list[str], subject_digest: str) -> str:
    """Two evaluations with the same fingerprint need one record (docs/adr/0100).

    ``votes`` are ids of live votes and confirmations.
    """
    return digest(
        {
            "schema": FINGERPRINT_SCHEMA,
            "decision": evaluation.decision,
            "reasonCodes": list(evaluation.reason_codes),
            "gates": [
                [gate.name, gate.status, list(gate.reason_codes), *_standing_against(gate)] for gate in evaluation.gates
            ],
            "votes": sorted(votes),
            "overrides": overrides_used(evaluation),
            "subjectDigest": subject_digest,
        }
    )


def _standing_against(gate: GateResult) -> list[str]:
    """The single things for which a gate blocks: an override lifts those that the record names, and no others."""
    return override_scope((), gate.details)[1] if gate.blocks else []


def overrides_used(evaluation: Evaluation) -> list[str]:
    """Ids of the overrides that lifted a gate, which are the ids of their human_decision envelopes."""
    return sorted({gate.details["override"]["id"] for gate in evaluation.gates if "override" in gate.details})


def evidence_of(gate_input: GateInput, bundle: dict[str, Any] | None) -> dict[str, Any]:
    """The documents decided on, by digest. Of several SBOMs the bundle names each; sbomDigest is then null."""
    evidence = gate_input.get("evidence")
    found = [] if bundle is None else bundle["documents"]
    sboms = {each["digest"] for each in found if each["kind"] == "sbom"}
    return {
        "bundleId": None if evidence is None else evidence["bundleId"],
        "bundleDigest": None if evidence is None else evidence["bundleDigest"],
        "sbomDigest": sboms.pop() if len(sboms) == 1 else None,
        "attestationDigests": sorted({each["digest"] for each in found if each["kind"] == "attestation"}),
    }


def build_record(
    *,
    record_id: UUID,
    promotion_id: UUID,
    sequence: int,
    previous_id: UUID | None,
    packet_id: UUID | None,
    gate_input: GateInput,
    bundle: dict[str, Any] | None,
    evaluation: Evaluation,
    at: datetime,
) -> Record:
    """The record of one evaluation, as it is stored and as GET returns it. ``bundle`` is the one the input names."""
    requirements = gate_input["requirements"]
    policy = requirements["promotionPolicy"]
    input_bytes = canonical_bytes(gate_input)
    input_digest = digest_bytes(input_bytes)
    fields = {
        "schema": RECORD_SCHEMA,
        "id": str(record_id),
        "promotionId": str(promotion_id),
        "sequence": sequence,
        "decision": evaluation.decision,
        "reasonCodes": list(evaluation.reason_codes),
        "policyDigest": policy["digest"],
        "policyName": policy["name"],
        "policyVersion": policy["version"],
        "approvalPolicies": requirements["approvalPolicies"],
        "requirementsDigest": gate_input["requirementsDigest"],
        "inputDigest": input_digest,
        "determinismHash": determinism_hash(
            policy_digest=policy["digest"], input_digest=input_digest, evaluation=evaluation
        ),
        "engine": {"name": ENGINE_NAME, "version": VERSION},
        "evaluatedAtUtc": rfc3339(at),
        "gates": [gate.as_json() for gate in evaluation.gates],
        "approvals": gate_input["votes"],
        "evidence": {
            **evidence_of(gate_input, bundle),
            "packetId": None if packet_id is None else str(packet_id),
        },
        "humanDecisionEnvelopeIds": overrides_used(evaluation),
        "subjectDigest": gate_input["subject"]["digest"],
        "previousDecisionId": None if previous_id is None else str(previous_id),
    }
    document = canonical_bytes(fields)
    return Record(input=input_bytes, document=document, digest=digest_bytes(document), fields=fields)
