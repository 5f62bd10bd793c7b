"""Compares feeds with their uploads: with the audit log, and with the bytes that are stored (domain.md §6)."""

from collections.abc import Iterable
from typing import Any, Final

from promotions.documents.uploading import DocumentUnread, UploadsBusy, read_in_isolation
from promotions.formats.document import READER
from promotions.models import Feed, FeedEntry
from promotions.verification.audited import AuditedEvent, all_events_of_rows, differs
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.uploads import TWICE, UNKNOWN, upload_difference
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.errors import ProductError

NEWER: Final = ", or otherwise than this version reads them: a newer one read it before the application went back."


def check_feeds(feeds: Iterable[Feed]) -> list[Mismatch]:
    """Compares each feed with the event of its upload. They are of one tenant. One statement."""
    feeds = list(feeds)
    if not feeds:
        return []
    events = all_events_of_rows(feeds[0].tenant_id, "feed", [feed.pk for feed in feeds], ["feed.uploaded"])
    found = ((feed, _differs_from_events(feed, events.get(str(feed.pk), []))) for feed in feeds)
    return [_changed(feed, wrong) for feed, wrong in found if wrong is not None]


def check_newest_feed(feed: Feed) -> list[Mismatch]:
    """Compares the newest feed of a kind with its bytes: its time, and its entries. Older feeds have no entries.

    Reads all entries, and the bytes in the isolated child: seconds for EPSS. A reading of an older reader is made again
    before it counts.
    """
    reading = feed.readings.filter(reader=READER).first() if feed.reader < READER else None
    is_refused = reading is not None and bool(reading.refused)
    try:
        answer = read_in_isolation(feed.kind, "", bytes(feed.content.content))
    except (DocumentUnread, UploadsBusy):
        return []
    except ProductError as refused:
        is_read = reading is not None or feed.reader >= READER
        return [_changed(feed, f"It cannot be read: {refused.message}")] if is_read and not is_refused else []
    if is_refused:
        return [_changed(feed, "It counts as missing, as one that cannot be read, and can be read.")]
    published = parse_rfc3339(answer["generatedAt"])
    if feed.published_at not in (published, min(published, feed.uploaded_at)):
        return [_changed(feed, f"Its bytes say that it was published at {answer['generatedAt']}.")]
    if reading is None and feed.reader < READER:
        return []
    return _check_entries(feed, answer["parsed"])


def _check_entries(feed: Feed, parsed: dict[str, Any]) -> list[Mismatch]:
    if feed.kind == Feed.Kind.KEV:
        wanted = {each["cve"]: each["dateAdded"] for each in parsed["entries"]}
        kept = {cve: day and day.isoformat() for cve, day in _entries(feed, "listed_on")}
    else:
        wanted = {each["cve"]: each["epss"] for each in parsed["scores"]}
        kept = dict(_entries(feed, "score"))
    newest = Feed.objects.filter(tenant_id=feed.tenant_id, kind=feed.kind).newest_first().first()
    if kept == wanted or newest is None or newest.pk != feed.pk:
        return []
    cve = min(each for each in kept.keys() | wanted.keys() if kept.get(each) != wanted.get(each))
    newer = feed.readings.filter(reader__gt=READER).exists()
    message = f"{cve} stands in its entries otherwise than in its bytes{NEWER if newer else '.'}"
    return [_changed(feed, message, f", {cve}")]


def _entries(feed: Feed, field: str) -> Iterable[tuple[str, Any]]:
    return FeedEntry.objects.filter(feed=feed).values_list("cve", field).iterator(chunk_size=10_000)


def _differs_from_events(feed: Feed, events: list[AuditedEvent]) -> str | None:
    if len(events) != 1:
        return TWICE if events else UNKNOWN
    row = {
        "kind": feed.kind,
        "documentDigest": feed.content_id,
        "publishedAt": rfc3339(feed.published_at),
        "entries": feed.entry_count,
    }
    beside = {"attributed": feed.attributed, "size": feed.size}
    place = upload_difference(feed, events[0]) or differs(row, events[0].metadata) or differs(beside, events[0].after)
    return None if place is None else f"{place} is not what the audit log tells of its upload."


def _changed(feed: Feed, message: str, where: str = "") -> Mismatch:
    return Mismatch(MismatchKind.DOCUMENT_CHANGED, f"feed {feed.pk}{where}", message)
