"""Promotions with everything that is stored about them, read with a fixed number of statements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import prefetch_related_objects

from promotions.documents.manifest import ManifestComponent
from promotions.judging.release_status import ReleaseStatus, statuses
from promotions.judging.unit_of_work import RECORDS
from promotions.models import DecisionRecord, Deployment, EvidencePacket, Override, Promotion
from promotions.packets.verifying import Kind, KnownKey, stored_here
from promotions.verification.audited import AuditedEvent, events_of_promotions, events_of_releases, override_as_act
from promotions.verification.record_rows import Rows, rows_of

_DEPLOYED_SPANS: Final = """
SELECT p.release_id, p.target_environment_id, d.reported_at,
  (SELECT min(b.reported_at) FROM promotions_deployment b WHERE b.promotion_id = p.id AND b.status = 'rolled_back')
FROM promotions_promotion p JOIN promotions_deployment d ON d.promotion_id = p.id AND d.status = 'succeeded'
WHERE p.tenant_id = %s AND p.release_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class DeployedSpan:
    """The time in which a release counted as deployed in an environment, by its reports; ``end`` None: still."""

    environment_id: UUID
    begin: datetime
    end: datetime | None


@dataclass(slots=True)
class StoredPromotion:
    """One promotion with its release, environments, records, packets and the rows that those name, oldest first.

    ``events``: its audit events. ``release_events``: those that finalized its release. ``release_status``:
    its release's, None where the tenant has no such release. ``deployed_spans``: where and
    when its release was deployed, by any promotion.
    """

    promotion: Promotion
    rows: Rows
    records: list[DecisionRecord] = field(default_factory=list)
    packets: list[EvidencePacket] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    reports: list[Deployment] = field(default_factory=list)
    events: list[AuditedEvent] = field(default_factory=list)
    release_events: list[AuditedEvent] = field(default_factory=list)
    release_status: ReleaseStatus | None = None
    deployed_spans: list[DeployedSpan] = field(default_factory=list)

    @property
    def components(self) -> list[ManifestComponent]:
        """The components of its release."""
        return [
            {"name": each.name, "imageRepository": each.image_repository, "digest": each.digest, "role": each.role}
            for each in self.promotion.release.components.all()
        ]

    @property
    def acts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The columns of its votes, confirmations and overrides, by kind and id."""
        overrides = {("override", str(row.pk)): override_as_act(row) for row in self.overrides}
        return {**self.rows.acts, **overrides}

    @property
    def noted_digests(self) -> dict[str, set[str]]:
        """The digests of its records by their ids, as its events hold them; records of version 1.0 have none."""
        found: dict[str, set[str]] = {}
        for event in self.events:
            for each in event.metadata.get(RECORDS, ()):
                found.setdefault(each["id"], set()).add(each["digest"])
        return found

    def events_named(self, *actions: str) -> list[AuditedEvent]:
        """Its events of these actions, oldest first."""
        return [event for event in self.events if event.action in actions]

    def stored(self, kind: Kind, stored_id: str) -> bytes | None:
        """As `stored_here`, from the rows read here where they have it."""
        contents: Mapping[str, bytes | memoryview] = {}
        if kind in ("record", "input"):
            contents = {str(row.pk): row.document if kind == "record" else row.input for row in self.records}
        elif kind == "humanDecision":
            contents = {str(row.pk): row.envelope for row in self.overrides}
        else:
            contents = {str(row.pk): row.document if kind == "packet" else row.envelope for row in self.packets}
        return bytes(contents[stored_id]) if stored_id in contents else stored_here(kind, stored_id)


@dataclass(frozen=True, slots=True)
class InstallationKeys:
    """The public keys, by key id, and the id of the installation: what every packet is checked against."""

    keys: Mapping[str, KnownKey]
    installation: str


def read_stored_promotions(promotions: Sequence[Promotion]) -> list[StoredPromotion]:
    """In the order given. ``promotions`` are of one tenant and have release and environments loaded. 14 statements."""
    rows = rows_of([promotion.pk for promotion in promotions])
    found = {promotion.pk: StoredPromotion(promotion, rows[promotion.pk]) for promotion in promotions}
    for record in DecisionRecord.objects.filter(promotion__in=promotions).order_by("sequence"):
        found[record.promotion_id].records.append(record)
    for packet in EvidencePacket.objects.filter(promotion__in=promotions).order_by("generated_at", "pk"):
        found[packet.promotion_id].packets.append(packet)
    overrides = Override.objects.filter(promotion__in=promotions).select_related("review")
    for override in overrides.order_by("recorded_at", "pk"):
        found[override.promotion_id].overrides.append(override)
    for report in Deployment.objects.filter(promotion__in=promotions):
        found[report.promotion_id].reports.append(report)
    prefetch_related_objects(promotions, "release__components")
    tenant_id = promotions[0].tenant_id
    release_events = events_of_releases(tenant_id, {promotion.release_id for promotion in promotions})
    status = statuses(tenant_id, {promotion.release_id for promotion in promotions})
    deployed_spans = _deployed_spans(tenant_id, {promotion.release_id for promotion in promotions})
    for promotion in promotions:
        found[promotion.pk].release_events = release_events.get(str(promotion.release_id), [])
        found[promotion.pk].release_status = status.get(promotion.release_id)
        found[promotion.pk].deployed_spans = deployed_spans.get(promotion.release_id, [])
    for promotion_id, event in events_of_promotions(tenant_id, list(found)):
        found[promotion_id].events.append(event)
    return list(found.values())


def _deployed_spans(tenant_id: UUID, releases: Iterable[UUID]) -> dict[UUID, list[DeployedSpan]]:
    found: dict[UUID, list[DeployedSpan]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_DEPLOYED_SPANS, [tenant_id, list(releases)])
        for release, environment, begin, end in cursor.fetchall():
            found.setdefault(release, []).append(DeployedSpan(environment, begin, end))
    return found
