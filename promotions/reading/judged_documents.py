"""The evidence of a stored gate input, opened: what was known of each artifact when it was judged (docs/adr/0178).

Everything here is made from the input and the blobs that it names, so a record of any age gives the same view.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

import orjson

from policies.document_facts import VEX_SCHEMA, VexStatus
from promotions.judging.documents_of_input import documents_of
from promotions.models import DecisionRecord
from stellapromote.signing.canonical_json import canonical_bytes, digest

VIEW_SCHEMA: Final = "stella.evidence-view/v1"
MERGED_VEX_SCHEMA: Final = "stella.merged-vex/v1"

Document = dict[str, Any]


def judged_documents(record: DecisionRecord) -> Document:
    """The evidence that the record was judged on, by artifact. Cost: as ``documents_of``."""
    gate_input = orjson.loads(bytes(record.input))
    evidence = gate_input.get("evidence")
    opened = documents_of(record.tenant_id, gate_input)
    content = None if evidence is None else opened.get(evidence["bundleDigest"])
    bundle = {"artifacts": [], "documents": []} if content is None else orjson.loads(content)
    return {
        "schema": VIEW_SCHEMA,
        "inputDigest": orjson.loads(bytes(record.document))["inputDigest"],
        "instant": gate_input["instant"],
        "evidence": evidence,
        "artifacts": [_artifact(artifact, bundle["documents"], opened) for artifact in bundle["artifacts"]],
    }


def _artifact(artifact: str, documents: Sequence[Document], opened: Mapping[str, bytes]) -> Document:
    ours = [each for each in documents if each["artifactDigest"] == artifact]
    by_kind = {kind: [each for each in ours if each["kind"] == kind] for kind in ("sbom", "vulnerabilities", "vex")}
    return {
        "artifact": {"digest": artifact},
        "sbom": by_kind["sbom"],
        "vulnerabilities": by_kind["vulnerabilities"],
        "attestations": [each for each in ours if each["kind"] == "attestation"],
        "vex": _merged(by_kind["vex"], opened),
        "inToto": [each for each in ours if each["predicateType"] is not None],
        # No transparency log is asked about uploaded documents, so nothing is known of one.
        "transparency": None,
    }


def _merged(documents: Sequence[Document], opened: Mapping[str, bytes]) -> Document:
    """The statements of all VEX documents of an artifact together, trusted or not: trust is a matter of the gates."""
    found = [orjson.loads(opened[each["parsed"]]) for each in documents if each["parsed"] in opened]
    said = {canonical_bytes(each) for vex in found if vex["schema"] == VEX_SCHEMA for each in vex["statements"]}
    statements = [orjson.loads(each) for each in sorted(said)]
    counted = Counter(each["status"] for each in statements)
    return {
        "documents": list(documents),
        "mergedDigest": digest({"schema": MERGED_VEX_SCHEMA, "statements": statements}) if documents else None,
        "statusSummary": {status: counted[status] for status in get_args(VexStatus)},
    }
