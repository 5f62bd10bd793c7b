"""Reads again the documents that older readers have read, before they count (domain.md §6, docs/adr/0152): bundles of
open promotions and of the releases that run in their targets, and the newest feeds.

A reader runs in the isolated child, outside any transaction; its reading is stored in one that only adds rows. The
worker then judges a promotion again, which binds it to the bundle as it is read now.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from policies.document_facts import Bundle, DocumentFact
from promotions.actions.upload_feed import reload_feed
from promotions.documents import bundles, newest_documents
from promotions.documents.bundle_readings import document_of, renew_fact
from promotions.documents.document_readings import Answer, read_as_sent, store_reading
from promotions.documents.uploading import DocumentUnread, UploadsBusy, read_in_isolation
from promotions.formats.document import READER
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import BundleReading, DocumentReading, EvidenceBundle, EvidenceDocument, Feed, Promotion
from promotions.models.promotion_vocabulary import running_sql
from promotions.states import OPEN
from stellapromote.clock import Clock
from stellapromote.database.errors import is_away
from stellapromote.errors import ProductError
from stellapromote.transactions import transactional

logger = logging.getLogger(__name__)

BATCH: Final = 20
"""The most bundles and feeds read again in one round: other work waits meanwhile."""

ROUND_SECONDS: Final = 10.0
"""After so long the rest is left to the next round. What was read of a bundle until then stays read."""

RETRY_SECONDS: Final = 60.0
"""The time for which this worker leaves alone what could not be read in time."""

_RUNNING = running_sql("d.evidence_bundle_id", environment="asked.target_environment_id", product="asked.product")
_UNREAD_BUNDLES = f"""
WITH asked AS (
  SELECT id, tenant_id, target_environment_id, product, evidence_bundle_id FROM promotions_promotion
  WHERE evidence_bundle_id IS NOT NULL
    AND (status = ANY(%(open)s) OR status = 'failed' AND approval_expires_at > %(now)s)),
named AS (
  SELECT evidence_bundle_id AS id FROM asked
  UNION
  SELECT running.evidence_bundle_id FROM asked CROSS JOIN LATERAL ({_RUNNING}) running
  WHERE running.evidence_bundle_id IS NOT NULL)
SELECT b.id FROM promotions_evidencebundle b JOIN named USING (id)
WHERE b.reader < %(reader)s AND NOT EXISTS (
  SELECT 1 FROM promotions_bundlereading r WHERE r.bundle_id = b.id AND r.reader = %(reader)s)
AND b.id <> ALL(%(left_alone)s) ORDER BY b.taken_at DESC LIMIT {BATCH}
"""  # noqa: S608 - the parts are constants of this module

_UNREAD_FEEDS = f"""
SELECT f.id FROM (
  SELECT DISTINCT ON (tenant_id, kind) id, reader FROM promotions_feed
  ORDER BY tenant_id, kind, uploaded_at DESC, id DESC) f
WHERE f.reader < %(reader)s AND NOT EXISTS (
  SELECT 1 FROM promotions_feedreading r WHERE r.feed_id = f.id AND r.reader = %(reader)s)
AND f.id <> ALL(%(left_alone)s) LIMIT {BATCH}
"""  # noqa: S608 - the part is a constant of this module


class OutOfTime(Exception):
    """The time of the round is over: the next one goes on."""


@dataclass(slots=True)
class Rereader:
    """Reads again what is due, for as long as a worker lives: it remembers for a while what it could not read."""

    left_alone: dict[UUID, float] = field(default_factory=dict)

    def read_due(self, clock: Clock) -> int:
        """Reads again a batch of what an older reader read; how many bundles and feeds are done."""
        now = time.monotonic()
        self.left_alone = {each: until for each, until in self.left_alone.items() if until > now}
        until = now + ROUND_SECONDS
        done = self._each(_due(_UNREAD_FEEDS, self.left_alone, clock), read_feed_again, clock, until)
        return done + self._each(_due(_UNREAD_BUNDLES, self.left_alone, clock), read_bundle_again, clock, until)

    def _each(self, due: Iterable[UUID], read: Callable[[UUID, Clock, float], None], clock: Clock, until: float) -> int:
        """The others and the rest of the round go on where one fails."""
        done = 0
        for each in due:
            try:
                read(each, clock, until)
                done += 1
            except OutOfTime:
                break
            except Exception as error:
                if is_away(error):
                    raise
                self.left_alone[each] = time.monotonic() + RETRY_SECONDS
                unread = isinstance(error, DocumentUnread | UploadsBusy)
                what = {"what": read.__name__, "id": str(each)}
                logger.warning("worker_could_not_read_again", extra=what, exc_info=None if unread else error)
        return done


def read_bundle_again(bundle_id: UUID, clock: Clock, until: float) -> None:
    """Reads every document of the bundle that the newest reader has not read. DocumentUnread; OutOfTime after `until`
    of time.monotonic."""
    bundle = EvidenceBundle.objects.select_related("content").get(pk=bundle_id)
    content: Bundle = orjson.loads(bytes(bundle.content.content))
    read = [(fact, _read(bundle.tenant_id, fact, clock, until)) for fact in content["documents"]]
    _store_bundle(bundle, content, [renew_fact(fact, held) for fact, held in read if held is not None], clock.now())


def read_feed_again(feed_id: UUID, clock: Clock, until: float) -> None:
    """Reads the feed and exchanges its entries; one that is refused now counts as missing. Raises as for a bundle."""
    _check_time(until)
    feed = Feed.objects.select_related("content").get(pk=feed_id)
    try:
        parsed = read_in_isolation(feed.kind, "", bytes(feed.content.content))["parsed"]
    except (DocumentUnread, UploadsBusy):
        raise
    except ProductError as refused:
        reload_feed(feed, [], refused=refused.message, at=clock.now())
        return
    reload_feed(feed, parsed["entries"] if feed.kind == Feed.Kind.KEV else parsed["scores"], at=clock.now())


def _check_time(until: float) -> None:
    if time.monotonic() > until:
        raise OutOfTime


def adopt_reading(promotion: Promotion, work: UnitOfWork) -> None:
    """Binds the promotion, in memory, to its bundle as the newest reader reads it.

    Cost: nothing without a bundle, else one statement.
    """
    before = promotion.evidence_bundle_digest
    if before is None:
        return
    reading = (
        BundleReading.objects.select_related("read_as")
        .filter(bundle_id=promotion.evidence_bundle_id, bundle__reader__lt=READER, reader=READER)
        .first()
    )
    if reading is None or reading.read_as_id == promotion.evidence_bundle_id:
        return
    promotion.evidence_bundle = reading.read_as
    promotion.evidence_bundle_digest = reading.read_as.content_id
    work.note(
        "promotion.evidence_read_again",
        promotion,
        before={"evidenceBundleDigest": before},
        after={"evidenceBundleDigest": promotion.evidence_bundle_digest},
        outside=False,
    )


def _due(statement: str, left_alone: Iterable[UUID], clock: Clock) -> list[UUID]:
    asked: dict[str, Any] = {"open": sorted(OPEN), "reader": READER, "left_alone": list(left_alone), "now": clock.now()}
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return [row[0] for row in cursor.fetchall()]


def _read(tenant_id: UUID, fact: DocumentFact, clock: Clock, until: float) -> newest_documents.NewestDocument | None:
    """The document of a bundle as the newest reader reads it; None where that refuses it."""
    document = document_of(tenant_id, fact)
    if document is None:
        raise AssertionError("a bundle names documents of its tenant, and they stay")
    reading = DocumentReading.objects.filter(document=document, reader=READER).first()
    if reading is None and document.reader < READER:
        _check_time(until)
        reading = _store_reading(document, read_as_sent(document), clock.now())
    return newest_documents.apply_reading(document, reading)


@transactional
def _store_reading(document: EvidenceDocument, answer: Answer, at: datetime) -> DocumentReading:
    return store_reading(document, answer, at)


@transactional
def _store_bundle(bundle: EvidenceBundle, content: Bundle, documents: list[DocumentFact], at: datetime) -> None:
    read_now: Bundle = {**content, "documents": sorted(documents, key=bundles.place_in_order)}
    read_as = bundles.store_bundle(bundles.bundle_content(read_now, READER), tenant_id=bundle.tenant_id, at=at)
    for each in {bundle.pk: bundle, read_as.pk: read_as}.values():
        if each.reader < READER:
            BundleReading.objects.bulk_create(
                [BundleReading(bundle=each, reader=READER, read_as=read_as, read_at=at)], ignore_conflicts=True
            )
