"""Checks that stored contents have their digests, that documents, feeds and keys are those uploaded and trusted, and
that settings are those of the audit log.

PostgreSQL computes the digests, so that no content is sent.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Final
from uuid import UUID

from django.db import connection

from promotions.formats.document import READER
from promotions.models import BundleReading, EvidenceDocument, Feed
from promotions.verification.bundles import check_bundle_reading, compare_bundle
from promotions.verification.feeds import check_feeds, check_newest_feed
from promotions.verification.gathered import GatheredFactsCheck
from promotions.verification.keys import check_trusted_keys
from promotions.verification.mismatch import Mismatch, MismatchKind, unverified_mismatch
from promotions.verification.rows import ROWS_OF_SYSTEM, ROWS_OF_TENANT
from promotions.verification.uploads import check_uploads

PAGE: Final = 100
MOST_REMEMBERED: Final = 50_000

_FITTING = """
SELECT digest FROM promotions_blob WHERE digest = ANY(%s) AND digest = 'sha256:' || encode(sha256(content), 'hex')
"""
_FITTING_POLICIES = """
SELECT digest FROM (
  SELECT tenant_id, digest, canonical FROM policies_promotionpolicyversion
  UNION ALL SELECT tenant_id, digest, canonical FROM policies_approvalpolicyversion) version
WHERE tenant_id = %s AND digest = ANY(%s) AND digest = 'sha256:' || encode(sha256(canonical), 'hex')
"""
# The contents of a tenant, by the id of the row that names them: by digest.
_KEPT: Final = {
    "document": """SELECT d.id, unnest(ARRAY[d.digest, d.parsed_digest]) FROM (
        SELECT id, digest, parsed_digest FROM promotions_evidencedocument
        WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s) d ORDER BY 1""",
    "reading": """SELECT r.id, r.parsed_digest FROM promotions_documentreading r
        JOIN promotions_evidencedocument d ON d.id = r.document_id
        WHERE d.tenant_id = %s AND r.parsed_digest IS NOT NULL AND r.id > %s ORDER BY r.id LIMIT %s""",
    "bundle": """SELECT id, digest FROM promotions_evidencebundle
        WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s""",
    "feed": "SELECT id, digest FROM promotions_feed WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s",
}
# Rows that the audit log names and that are missing.
_GONE: Final = """
SELECT e.resource, e.resource_id FROM audit_auditevent e
WHERE e.tenant_id = %(tenant)s AND e.resource IN ('evidence_document', 'feed', 'trusted_key')
  AND e.action IN ('evidence.uploaded', 'feed.uploaded', 'trusted_key.added')
  AND e.resource_id NOT IN (
    SELECT id::text FROM promotions_evidencedocument WHERE tenant_id = %(tenant)s
    UNION ALL SELECT id::text FROM promotions_feed WHERE tenant_id = %(tenant)s
    UNION ALL SELECT id::text FROM promotions_trustedkey WHERE tenant_id = %(tenant)s)
ORDER BY 1, 2 LIMIT %(most)s
"""
MOST_READ: Final = 5
"""The most documents compared with their uploads at once: each signed one is read again."""

MOST_GONE: Final = 20
"""The most missing rows that are named."""


class VerifiedDigests:
    """The last 50,000 digests whose contents were verified: a content that many promotions name is read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UUID | None, str], None] = OrderedDict()
        self.gathering = GatheredFactsCheck()

    def unfit(self, digests: Collection[str]) -> set[str]:
        """The digests without a content, or with another content. One statement for those not verified yet."""
        return self._without(digests, _FITTING, None)

    def unfit_policies(self, tenant_id: UUID, digests: Collection[str]) -> set[str]:
        """The digests of which the tenant has no version of a policy."""
        return self._without(digests, _FITTING_POLICIES, tenant_id)

    def wrong_in_bundles(self, tenant_id: UUID, bundles: Collection[str]) -> list[Mismatch]:
        """The findings about the documents that these bundles name. The bundles have their digests."""
        found = []
        for digest in sorted(digest for digest in bundles if (tenant_id, digest) not in self._known):
            compared = compare_bundle(tenant_id, digest)
            wrong = compared.found + self._wrong_in_uploads(tenant_id, compared.documents)
            if not wrong:
                self._known[tenant_id, digest] = None
            found += wrong
        return found

    def _wrong_in_uploads(self, tenant_id: UUID, documents: list[EvidenceDocument]) -> list[Mismatch]:
        """Reads each document once, also where many bundles name it."""
        keys = {(tenant_id, f"document {each.pk}"): each for each in documents}
        wrong = check_uploads(each for key, each in keys.items() if key not in self._known)
        self._known.update(dict.fromkeys(keys.keys() - {(tenant_id, each.place) for each in wrong}))
        return wrong

    def _without(self, digests: Collection[str], statement: str, tenant_id: UUID | None) -> set[str]:
        asked = {digest for digest in digests if (tenant_id, digest) not in self._known}
        if not asked:
            return set()
        values: list[Any] = [sorted(asked)] if tenant_id is None else [tenant_id, sorted(asked)]
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            fits = {digest for (digest,) in cursor.fetchall()}
        self._known.update(dict.fromkeys((tenant_id, digest) for digest in fits))
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return asked - fits


def check_documents(
    tenant_id: UUID | None, kind: str, after: UUID, verified: VerifiedDigests, most: int = PAGE
) -> tuple[UUID | None, list[Mismatch]]:
    """The findings about the next rows of this kind, and the last of these rows; None: there are no more, or they
    cannot be read, which is a finding."""
    try:
        return _check_next(tenant_id, kind, after, verified, most)
    except Exception as error:
        return None, [unverified_mismatch(kind if after.int == 0 else f"{kind} after {after}", error)]


def _check_next(
    tenant_id: UUID | None, kind: str, after: UUID, verified: VerifiedDigests, most: int
) -> tuple[UUID | None, list[Mismatch]]:
    if kind not in _KEPT:
        return _BEYOND_DIGESTS[kind](tenant_id, after)
    rows = _rows(_KEPT[kind], [tenant_id, after, most])
    if not rows:
        return None, []
    unfit = verified.unfit({digest for _, digest in rows})
    found = [
        Mismatch(MismatchKind.DOCUMENT_CHANGED, f"{kind} {row}, {digest}", "What is stored does not have this digest.")
        for row, digest in rows
        if digest in unfit
    ]
    return rows[-1][0], found


def _next_uploads(tenant_id: UUID, after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    documents = EvidenceDocument.objects.select_related("content").filter(tenant_id=tenant_id, pk__gt=after)
    some = list(documents.order_by("pk")[:MOST_READ])
    return (some[-1].pk if some else None), check_uploads(some)


def _next_bundle_reading(tenant_id: UUID, after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    readings = BundleReading.objects.select_related("bundle", "read_as").filter(
        bundle__tenant_id=tenant_id, reader=READER, pk__gt=after
    )
    reading = readings.order_by("pk").first()
    return (None, []) if reading is None else (reading.pk, check_bundle_reading(reading))


def _next_feeds(tenant_id: UUID, after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    some = list(Feed.objects.filter(tenant_id=tenant_id, pk__gt=after).order_by("pk")[:PAGE])
    return (some[-1].pk if some else None), check_feeds(some)


def _next_newest_feed(tenant_id: UUID, after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    newest = Feed.objects.select_related("content").filter(tenant_id=tenant_id).order_by("kind", "-uploaded_at", "-pk")
    feeds = sorted(newest.distinct("kind"), key=lambda feed: feed.pk)
    feed = next((each for each in feeds if each.pk > after), None)
    return (None, []) if feed is None else (feed.pk, check_newest_feed(feed))


def _trusted_keys(tenant_id: UUID, _after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    return None, check_trusted_keys(tenant_id)


def _gone(tenant_id: UUID, _after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    """Documents, feeds and trusted keys that the audit log names and that are missing. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_GONE, {"tenant": tenant_id, "most": MOST_GONE})
        gone = [(resource.replace("_", " "), row) for resource, row in cursor.fetchall()]
    message = "The audit log tells of it, and it is gone."
    what = {"trusted key": MismatchKind.KEY_CHANGED}
    return None, [
        Mismatch(what.get(resource, MismatchKind.DOCUMENT_CHANGED), f"{resource} {row}", message)
        for resource, row in gone
    ]


_BEYOND_DIGESTS: Final[dict[str, Callable[[Any, UUID], tuple[UUID | None, list[Mismatch]]]]] = {
    "upload": _next_uploads,
    "feed entries": _next_newest_feed,
    "bundle reading": _next_bundle_reading,
    "feed upload": _next_feeds,
    "trusted key": _trusted_keys,
    "gone": _gone,
    **ROWS_OF_TENANT,
    **ROWS_OF_SYSTEM,
}
SYSTEM_KINDS: Final = tuple(ROWS_OF_SYSTEM)
KINDS: Final = tuple(kind for kind in (*_KEPT, *_BEYOND_DIGESTS) if kind not in SYSTEM_KINDS)


def _rows(statement: str, values: list[Any]) -> list[tuple[UUID, str]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[UUID, str]] = cursor.fetchall()
        return rows
