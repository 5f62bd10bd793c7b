"""Promotions that version 1.0 decided and signed, as its rows held them (README.md beside this file)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from policies.models import ApprovalPolicy, ApprovalPolicyVersion, PromotionPolicy, PromotionPolicyVersion
from promotions.models import Blob, DecisionRecord, EvidenceBundle
from promotions.packets.verifying import KnownKey
from stellapromote.accounts.models import Tenant
from stellapromote.clock import parse_rfc3339
from stellapromote.signing import keyring

HERE = Path(__file__).parent
SHARED: dict[str, Any] = orjson.loads((HERE / "shared.json").read_bytes())
TENANT = UUID(SHARED["tenantId"])
KEYS = {each["keyId"]: KnownKey(keyring.public_key_from_pem(each["pem"])) for each in SHARED["keys"]}


@dataclass(frozen=True)
class Case:
    """One promotion: records are `{id, sequence, document, input}`, packets `{document, envelope}`, human decisions
    `{id, envelope}`; documents, inputs and envelopes as the stored text."""

    name: str
    promotion_id: UUID
    records: list[dict[str, Any]]
    packets: list[dict[str, str]]
    human_decisions: list[dict[str, str]]


def _read(path: Path) -> Case:
    found = orjson.loads(path.read_bytes())
    return Case(
        name=path.stem,
        promotion_id=UUID(found["promotionId"]),
        records=found["records"],
        packets=found["packets"],
        human_decisions=found["humanDecisions"],
    )


CASES = [_read(path) for path in sorted(HERE.glob("*.json")) if path.stem != "shared"]


def store_what_records_name() -> None:
    """The tenant with its policies, blobs and bundles, as a replay reads them from the database."""
    at = datetime(2026, 11, 2, tzinfo=UTC)
    tenant = Tenant.objects.create(pk=TENANT, slug="kept-from-1-0", name="Kept", created_at=at)
    row = {"tenant": tenant, "created_at": at, "updated_at": at}
    for number, (digest, text) in enumerate(SHARED["policies"].items(), start=1):
        version = {"tenant": tenant, "version": 1, "canonical": text.encode(), "digest": digest}
        if "gates" in orjson.loads(text):
            policy = PromotionPolicy.objects.create(name=f"policy-{number}", **row)
            PromotionPolicyVersion.objects.create(policy=policy, published_at=at, **version)
        else:
            guard = ApprovalPolicy.objects.create(name=f"policy-{number}", **row)
            ApprovalPolicyVersion.objects.create(policy=guard, created_at=at, **version)
    Blob.objects.bulk_create(Blob(digest=digest, content=text.encode()) for digest, text in SHARED["blobs"].items())
    for digest in SHARED["bundles"]:
        EvidenceBundle.objects.create(tenant=tenant, content_id=digest, taken_at=at)


def records_of(case: Case) -> list[DecisionRecord]:
    """The decision records of the promotion as they were stored, oldest first; not stored again."""
    rows = []
    for each in case.records:
        fields = orjson.loads(each["document"])
        rows.append(
            DecisionRecord(
                id=UUID(each["id"]),
                tenant_id=TENANT,
                promotion_id=case.promotion_id,
                sequence=each["sequence"],
                decision=fields["decision"],
                reason_codes=fields["reasonCodes"],
                evaluated_at=parse_rfc3339(fields["evaluatedAtUtc"]),
                subject_digest=fields["subjectDigest"],
                input=each["input"].encode(),
                document=each["document"].encode(),
                determinism_hash=fields["determinismHash"],
            )
        )
    return rows
