from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from policies.models import Proposal
from policies.proposals import proposable
from policies.weakening_edits import ChangedMeanwhile, Weakened
from promotions import blobs
from promotions.actions.upload_evidence import EARLY
from promotions.actions.uploading import InvalidDocument, read_in_isolation
from promotions.attribution import people_behind
from promotions.formats.document import READER
from promotions.guards import reading_feed
from promotions.models import Feed, FeedEntry, FeedReading
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import SYSTEM_CLOCK, Clock, parse_rfc3339, rfc3339
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.ids import new_id
from stellapromote.signing.canonical_json import digest_bytes
from stellapromote.transactions import transactional

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('feed ' || %s || ' ' || %s, 0))"
_COPY = "COPY promotions_feedentry (feed_id, cve, listed_on, score) FROM STDIN"


class FeedOlder(Conflict):
    """A newer feed of the kind is there: an older one would forget what came since."""

    code = "RES_STATE_CONFLICT"


MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class FeedUpload:
    """A feed, and what the isolated child read in it."""

    kind: str
    content: bytes
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptFeed:
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
def upload_feed(reading: FeedUpload, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> KeptFeed | Proposal:
    """Makes a feed the tenant's newest; the worker judges open promotions again.

    A KEV catalogue that lists less than the one before, or later, and EPSS scores of fewer CVEs are a weakening edit,
    and a proposal where a gate of a protected environment reads them. Raises Refused, FeedOlder, and InvalidDocument
    for a feed of the future, which no later one could replace.
    """
    by.require(POLICY_WRITE)
    content = digest_bytes(reading.content)
    blobs.store({content: reading.content})
    return _make_newest(
        by=by,
        clock=clock,
        kind=reading.kind,
        content=content,
        size=len(reading.content),
        reader=READER,
        answer=reading.answer,
    )


@proposable("feed.upload")
def _make_newest(
    *, by: Actor, clock: Clock, kind: str, content: str, size: int, reader: int, answer: dict[str, Any]
) -> KeptFeed:
    """``content``: the digest of the stored bytes; ``answer``: what the reader of version ``reader`` read in them."""
    if reader != READER:
        raise ChangedMeanwhile()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(by.tenant), kind])
    at = clock.now()
    published = parse_rfc3339(answer["generatedAt"])
    if published > at + EARLY:
        raise InvalidDocument("The feed says that it was published in the future.", details={"place": "$"})
    before = Feed.objects.filter(tenant_id=by.tenant, kind=kind).order_by("-published_at", "-id").first()
    if before is not None and before.content_id == content:
        return KeptFeed(before, new=False)
    if before is not None and before.published_at >= published:
        raise FeedOlder(
            f"The feed of {rfc3339(before.published_at)} is there already: send a newer one.",
            details={"publishedAt": rfc3339(before.published_at)},
        )
    parsed = answer["parsed"]
    entries = parsed["entries"] if kind == Feed.Kind.KEV else parsed["scores"]
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
    weakened = Weakened("feed", kind, f"{kind.upper()} feed", after={"publishedAt": rfc3339(published)})
    guards = reading_feed(by.tenant, kind)
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
        metadata={
            "kind": feed.kind,
            "documentDigest": content,
            "publishedAt": rfc3339(published),
            "entries": len(entries),
        },
    )
    weakened.keep(by=by, at=at)
    return KeptFeed(feed, new=True)


def _loses(before: Feed, entries: list[dict[str, Any]], weakened: Weakened) -> list[str]:
    """What the feed before told and this one does not. EPSS forgets single CVEs every few days, so there only their
    number counts; of KEV all are in ``weakened.after``, those that count from a later day on too."""
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
    newest = Feed.objects.filter(tenant_id=feed.tenant_id, kind=feed.kind).order_by("-published_at", "-id").first()
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
