"""The status of a release beside the one that the audit log tells of (domain.md §3)."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from stellapromote.fastpath.prepared import Asked, Row, fetch_each

# A status never goes back, so the furthest that an event tells of is the present one. Both are read by one statement:
# between two, a release may be deprecated. The kinds stand in the text, so that the index of events by row fits.
_STATUS = """
SELECT r.id, r.status, r.status_reason, coalesce(told.status, 'draft'), told.reason
FROM promotions_release r LEFT JOIN LATERAL (
  SELECT substr(e.action, length('release.') + 1) AS status, e.after ->> 'reason' AS reason
  FROM audit_auditevent e
  WHERE e.resource = 'release' AND e.resource_id = r.id::text AND e.tenant_id = r.tenant_id
    AND e.action IN ('release.finalized', 'release.deprecated', 'release.archived')
  ORDER BY array_position('{release.archived,release.deprecated,release.finalized}', e.action), e.timestamp, e.id
  LIMIT 1) told ON true
WHERE r.tenant_id = %s AND r.id = ANY(%s::uuid[])
"""


class ReleaseStatus(NamedTuple):
    """Status and reason of the row, and those that the audit log tells of; ``told_reason`` None: the event has
    none, or it was taken out of it."""

    status: str
    reason: str
    told: str
    told_reason: str | None

    @property
    def difference(self) -> str | None:
        """What the row says otherwise than the audit log, as a sentence; None where they agree."""
        if self.status != self.told:
            return f"Its status is {self.status}, and the audit log tells that it is {self.told}."
        reason = self.told_reason if self.told in ("deprecated", "archived") else ""
        if reason is not None and self.reason != reason:
            return f"The reason of its status {self.status} is not the one that the audit log tells of."
        return None


def asking_status(tenant_id: UUID, releases: Collection[UUID]) -> Asked:
    """The statement of ``statuses``, whose rows are for ``statuses_in``."""
    return _STATUS, [tenant_id, list(releases)]


def statuses_in(found: Collection[Row]) -> dict[UUID, ReleaseStatus]:
    return {release: ReleaseStatus(*columns) for release, *columns in found}


def statuses(tenant_id: UUID, releases: Collection[UUID]) -> dict[UUID, ReleaseStatus]:
    """The status of each of these releases of the tenant. One statement, which reads their events by an index."""
    [found] = fetch_each(asking_status(tenant_id, releases))
    return statuses_in(found)
