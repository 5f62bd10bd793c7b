"""What is stored about some promotions, read with a fixed number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from promotions.journal import RECORDS
from promotions.manifest import ManifestComponent
from promotions.models import Component, DecisionRecord, Deployment, EvidencePacket, Override, Promotion
from promotions.record_rows import Rows, rows_of
from promotions.verifying import Kind, KnownKey, stored_here

_NOTED = f"""
SELECT promotion_id, metadata -> '{RECORDS}' FROM audit_auditevent
WHERE promotion_id = ANY(%s) AND jsonb_exists(metadata, '{RECORDS}')
"""  # noqa: S608 - a constant


@dataclass(slots=True)
class Kept:
    """One promotion with its release and environments, records and packets oldest first, and the rows that they tell
    of. ``noted``: the digests of its records by their ids, as audit events hold them; records of before have none."""

    promotion: Promotion
    rows: Rows
    records: list[DecisionRecord] = field(default_factory=list)
    packets: list[EvidencePacket] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    reports: list[Deployment] = field(default_factory=list)
    components: list[ManifestComponent] = field(default_factory=list)
    noted: dict[str, str] = field(default_factory=dict)

    def stored(self, kind: Kind, stored_id: str) -> bytes | None:
        """As `stored_here`, from what was read."""
        held: Mapping[str, bytes | memoryview] = {}
        if kind in ("record", "input"):
            held = {str(row.pk): row.document if kind == "record" else row.input for row in self.records}
        elif kind == "humanDecision":
            held = {str(row.pk): row.envelope for row in self.overrides}
        else:
            held = {str(row.pk): row.document if kind == "packet" else row.envelope for row in self.packets}
        return bytes(held[stored_id]) if stored_id in held else stored_here(kind, stored_id)


@dataclass(frozen=True, slots=True)
class Known:
    """What does not belong to one promotion: the public keys."""

    keys: Mapping[str, KnownKey]


def kept_of(promotions: Sequence[Promotion]) -> list[Kept]:
    """In the order given. Eleven statements. ``promotions`` have their release and environments loaded."""
    rows = rows_of([promotion.pk for promotion in promotions])
    found = {promotion.pk: Kept(promotion, rows[promotion.pk]) for promotion in promotions}
    for record in DecisionRecord.objects.filter(promotion__in=promotions).order_by("sequence"):
        found[record.promotion_id].records.append(record)
    for packet in EvidencePacket.objects.filter(promotion__in=promotions).order_by("generated_at", "pk"):
        found[packet.promotion_id].packets.append(packet)
    for override in Override.objects.filter(promotion__in=promotions).order_by("recorded_at", "pk"):
        found[override.promotion_id].overrides.append(override)
    for report in Deployment.objects.filter(promotion__in=promotions):
        found[report.promotion_id].reports.append(report)
    components = _components({promotion.release_id for promotion in promotions})
    for promotion in promotions:
        found[promotion.pk].components = components.get(promotion.release_id, [])
    for promotion_id, noted in _noted(list(found)):
        found[promotion_id].noted |= {each["id"]: each["digest"] for each in noted}
    return list(found.values())


def _components(releases: set[UUID]) -> dict[UUID, list[ManifestComponent]]:
    found: dict[UUID, list[ManifestComponent]] = {}
    for row in Component.objects.filter(release__in=releases):
        component: ManifestComponent = {
            "name": row.name,
            "imageRepository": row.image_repository,
            "digest": row.digest,
            "role": row.role,
        }
        found.setdefault(row.release_id, []).append(component)
    return found


def _noted(promotions: list[UUID]) -> list[tuple[UUID, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_NOTED, [promotions])
        return [(promotion, orjson.loads(noted)) for promotion, noted in cursor.fetchall()]
