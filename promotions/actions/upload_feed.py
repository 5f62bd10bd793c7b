from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from policies.document_facts import KEV_SCHEMA
from policies.models import Proposal
from policies.proposals import proposable
from policies.weakening_edits import ChangedMeanwhile, Weakening
from promotions.actions.upload_document import EARLY
from promotions.documents import blobs
from promotions.documents.uploading import InvalidDocument, read_in_isolation
from promotions.formats.document import READER
from promotions.judging.attribution import people_behind
from promotions.judging.guards import environments_reading_feed
from promotions.models import Feed, FeedEntry, FeedReading
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import Clock, parse_rfc3339, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.ids import new_id
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes
from stellapromote.transactions import transactional

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('feed ' || %s || ' ' || %s, 0))"
_COPY = "COPY promotions_feedentry (feed_id, cve, listed_on, score) FROM STDIN"


class FeedOlder(Conflict):
    """The stored feed has a later date or the same, and this one is not stricter."""

    code = "RES_STATE_CONFLICT"


MOST_NAMED: Final = 20
ONE_STEP: Final = timedelta(milliseconds=1)
"""The feed that was uploaded last counts, so each is later than the one before, also when the clock goes back."""


@dataclass(frozen=True, slots=True)
class FeedUpload:
    """A feed, and what the isolated child read in it."""

    kind: str
    content: bytes
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredFeed:
    feed: Feed
    new: bool


def read_feed(kind: str, content: bytes, *, by: Actor) -> FeedUpload:
    """Reads a feed in the isolated child, outside any transaction. Raises Refused, Invalid, InvalidDocument."""
    by.require(POLICY_WRITE)
    if kind not in Feed.Kind.values:
        message = "A feed is kev or epss."
        raise Invalid(message, fields=[FieldError("kind", message, "invalid")])
    return FeedUpload(kind, content, read_in_isolation(kind, "", content))


@transactional
def upload_feed(reading: FeedUpload, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> StoredFeed | Proposal:
    """Makes a feed the one that counts; the worker judges open promotions again.

    It may have an older date than the one before where it is stricter (docs/adr/0183). It counts as published at its
    upload at the latest.

    A KEV catalogue with fewer or later entries than the one before, and EPSS scores of fewer CVEs are a weakening edit,
    and a proposal where a gate of a protected environment reads them. The new entries of such a catalogue count at
    once, and so do those of one with an older date: then the feed that is returned has the entries of both
    (docs/adr/0183). Raises Refused, FeedOlder, and InvalidDocument for a feed of the future, which no later one could
    replace.
    """
    by.require(POLICY_WRITE)
    content = digest_bytes(reading.content)
    blobs.store({content: reading.content})
    _lock(by, reading.kind)
    sent: dict[str, Any] = {
        "content": content,
        "size": len(reading.content),
        "reader": READER,
        "answer": reading.answer,
    }
    try:
        with transaction.atomic():
            stored = _make_newest(by=by, clock=clock, kind=reading.kind, **sent)
    except FeedOlder:
        united = _united(reading, by)
        if united is None:
            raise
        return _make_newest(by=by, clock=clock, kind=reading.kind, **united)
    if isinstance(stored, Proposal) and (united := _united(reading, by)) is not None:
        _make_newest(by=by, clock=clock, kind=reading.kind, **united)
    return stored


def _lock(by: Actor, kind: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(by.tenant), kind])


def _united(reading: FeedUpload, by: Actor) -> dict[str, Any] | None:
    """The KEV catalogue that counts with the new entries of this one, in bytes of its own (docs/adr/0183); None without
    new entries. As old as the one that counts: the sent catalogue need not be complete for a later day."""
    before = Feed.objects.filter(tenant_id=by.tenant, kind=reading.kind).newest_first().first()
    if before is None or before.kind != Feed.Kind.KEV:
        return None
    rows = FeedEntry.objects.filter(feed=before).values_list("cve", "listed_on")
    known = {cve: day.isoformat() for cve, day in rows if day is not None}
    sent = {each["cve"]: each["dateAdded"] for each in reading.answer["parsed"]["entries"]}
    both = known | {cve: min(day, known.get(cve, day)) for cve, day in sent.items()}
    if not known or both == known:
        return None
    entries = [{"cve": cve, "dateAdded": both[cve]} for cve in sorted(both)]
    published = rfc3339(before.published_at)
    content = canonical_bytes(
        {
            "catalogVersion": "united",
            "dateReleased": published,
            "count": len(entries),
            "unitedFrom": [before.content_id, digest_bytes(reading.content)],
            "vulnerabilities": [{"cveID": each["cve"], "dateAdded": each["dateAdded"]} for each in entries],
        }
    )
    blobs.store({digest_bytes(content): content})
    answer = {"generatedAt": published, "parsed": {"schema": KEV_SCHEMA, "entries": entries}}
    return {"content": digest_bytes(content), "size": len(content), "reader": READER, "answer": answer}


@proposable("feed.upload")
def _make_newest(
    *, by: Actor, clock: Clock, kind: str, content: str, size: int, reader: int, answer: dict[str, Any]
) -> StoredFeed:
    """``content``: the digest of the stored bytes; ``answer``: their reading by version ``reader`` of the reader."""
    if reader != READER:
        raise ChangedMeanwhile()
    _lock(by, kind)
    at = clock.now()
    before = Feed.objects.filter(tenant_id=by.tenant, kind=kind).newest_first().first()
    if before is not None:
        at = max(at, before.uploaded_at + ONE_STEP)
    published = parse_rfc3339(answer["generatedAt"])
    if published > at + EARLY:
        raise InvalidDocument("The feed says that it was published in the future.", details={"place": "$"})
    published = min(published, at)
    if before is not None and before.content_id == content:
        return StoredFeed(before, new=False)
    parsed = answer["parsed"]
    entries = parsed["entries"] if kind == Feed.Kind.KEV else parsed["scores"]
    if before is not None and before.published_at >= published and not _is_stricter(before, entries):
        raise FeedOlder(
            f"A feed of {rfc3339(before.published_at)} is stored already, and this one is not stricter: send a newer "
            "one.",
            details={"publishedAt": rfc3339(before.published_at)},
        )
    feed = Feed(
        id=new_id(),
        tenant_id=by.tenant,
        kind=kind,
        content_id=content,
        published_at=published,
        size=size,
        entry_count=len(entries),
        reader=reader,
        uploaded_by_id=by.account,
        uploaded_by_username=by.username,
        uploaded_by_name=by.display_name,
        attributed=people_behind(by),
        token_id=by.token_id,
        uploaded_at=at,
    )
    feed.save(force_insert=True)
    weakened = Weakening("feed", kind, f"{kind.upper()} feed", after={"publishedAt": rfc3339(published)})
    guards = environments_reading_feed(by.tenant, kind, at)
    if before is None:
        weakened.add([f"The first {kind.upper()} feed: what waited for one is judged by it."], guards=guards)
    else:
        weakened.add(_loses(before, entries, weakened), guards=guards)
        FeedEntry.objects.filter(feed=before).delete()
    _load(feed, entries)
    record(
        by=by,
        at=at,
        action="feed.uploaded",
        resource="feed",
        resource_id=feed.pk,
        after={"attributed": feed.attributed, "size": feed.size},
        metadata={
            "kind": feed.kind,
            "documentDigest": content,
            "publishedAt": rfc3339(published),
            "entries": len(entries),
        },
        rows=weakened.store(by=by, at=at),
    )
    return StoredFeed(feed, new=True)


def _is_stricter(before: Feed, entries: list[dict[str, Any]]) -> bool:
    """Whether it has every CVE of the feed before, listed as early and with as high a score, and something more. False
    where the feed before has no entries any more, because the newest reader refuses it."""
    now = {each["cve"]: (each.get("dateAdded"), each.get("epss")) for each in entries}
    rows = FeedEntry.objects.filter(feed=before).values_list("cve", "listed_on", "score")
    known = {cve: (day and day.isoformat(), score) for cve, day, score in rows}
    return bool(known) and now != known and all(cve in now and _covers(now[cve], known[cve]) for cve in known)


def _covers(now: tuple[Any, Any], known: tuple[Any, Any]) -> bool:
    """Both are (day of listing, score), of which one is None: the same one."""
    (day, score), (known_day, known_score) = now, known
    return bool(day <= known_day) if score is None else bool(score >= known_score)


def _loses(before: Feed, entries: list[dict[str, Any]], weakened: Weakening) -> list[str]:
    """Sentences about CVEs of the feed before that this one lacks. EPSS forgets single CVEs every few days, so there
    only their number counts; for KEV ``weakened.after`` has all, also those that count from a later day on."""
    than = f"that of {rfc3339(before.published_at)}"
    if before.kind == Feed.Kind.EPSS:
        fewer = before.entry_count - len(entries)
        return [f"The EPSS feed has no scores of {fewer} CVEs, measured by {than}."] if fewer > 0 else []
    now = {each["cve"]: each["dateAdded"] for each in entries}
    known = FeedEntry.objects.filter(feed=before).values_list("cve", "listed_on")
    gone = sorted(cve for cve, day in known if cve not in now or (day is not None and now[cve] > day.isoformat()))
    if not gone:
        return []
    weakened.after = {**(weakened.after or {}), "missing": gone}
    others = f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
    return [f"The KEV feed lists less than {than}: {', '.join(gone[:MOST_NAMED])}{others}."]


@transactional
def reload_feed(feed: Feed, entries: list[dict[str, Any]], *, refused: str = "", at: datetime) -> None:
    """Exchanges the entries of a feed for those that the newest reader read in it. ``refused`` says why it read none:
    then the feed counts as missing until a newer one comes."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(feed.tenant_id), feed.kind])
    newest = Feed.objects.filter(tenant_id=feed.tenant_id, kind=feed.kind).newest_first().first()
    if newest is None or newest.pk != feed.pk or feed.readings.filter(reader__gt=READER).exists():
        return  # a newer feed counts, or a newer reader has read this one, before the application went back
    FeedEntry.objects.filter(feed=feed).delete()
    _load(feed, entries)
    FeedReading.objects.bulk_create(
        [FeedReading(feed=feed, reader=READER, entry_count=len(entries), refused=refused[:1000], read_at=at)],
        ignore_conflicts=True,
    )


def _load(feed: Feed, entries: list[dict[str, Any]]) -> None:
    """270,000 rows take about two seconds; row by row they would take a minute."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for each in entries:
            day = date.fromisoformat(each["dateAdded"]) if "dateAdded" in each else None
            copy.write_row((feed.pk, each["cve"], day, each.get("epss")))
