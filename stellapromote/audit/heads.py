"""Links of the audit chains that something outside their chain names (docs/adr/0165)."""

from collections.abc import Collection

from stellapromote.audit.models import AuditLink


def of_system(event_hashes: Collection[bytes]) -> set[bytes]:
    """Those of these hashes that links of the system's chain have. A link that no walk meets is none. One statement."""
    links = AuditLink.objects.filter(tenant=None, sequence__gte=1, event_hash__in=event_hashes)
    return {bytes(event_hash) for event_hash in links.values_list("event_hash", flat=True)}
