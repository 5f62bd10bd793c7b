"""The facts of a gate input about the artifacts: the bundle, the feeds, the trusted keys (domain.md §6).

The bundle is the one the promotion is bound to. Feeds and trusted keys are live: the newest feed of a kind counts, and
only its part about the two bundles is kept, as a blob of its own. Whether the newest reader has read all of it is live,
too: a bundle of an older one counts as unread until the worker has read it again (promotions/actions/rereading.py).
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from policies.document_facts import EPSS_SCHEMA, KEV_SCHEMA, EvidenceFact, FeedFact
from promotions.documents.blobs import blobs
from promotions.documents.bundles import BundleContent
from promotions.formats.document import READER
from promotions.models import Promotion
from promotions.models.promotion_vocabulary import running_sql
from stellapromote.database_clock import rfc3339_sql
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")

_NEWEST = f"""
    SELECT DISTINCT ON (kind) kind, id, digest,
      {rfc3339_sql("published_at")} AS at,
      CASE WHEN reader >= %(reader)s THEN '' ELSE (
        SELECT r.refused FROM promotions_feedreading r WHERE r.feed_id = promotions_feed.id AND r.reader = %(reader)s
      ) END AS refused
    FROM promotions_feed WHERE tenant_id = %(tenant)s ORDER BY kind, uploaded_at DESC, id DESC
"""  # noqa: S608 - the part is a constant of ours
_FEED = "'id', f.id, 'digest', f.digest, 'publishedAt', f.at, 'refused', f.refused"

_RUNNING = running_sql(
    "d.evidence_bundle_digest AS digest", environment="%(target)s", product="%(product)s", release="%(current)s"
)
_LIVE = f"""
WITH running AS ({_RUNNING})
SELECT jsonb_build_object(
  'current', (SELECT digest FROM running),
  'readAs', (
    SELECT coalesce(jsonb_object_agg(
      b.digest, CASE WHEN b.reader >= %(reader)s THEN b.digest ELSE now.digest END), '{{}}')
    FROM promotions_evidencebundle b
    LEFT JOIN promotions_bundlereading r ON r.bundle_id = b.id AND r.reader = %(reader)s
    LEFT JOIN promotions_evidencebundle now ON now.id = r.read_as_id
    WHERE b.tenant_id = %(tenant)s AND (b.digest = %(bundle)s OR b.digest = (SELECT digest FROM running))),
  'keys', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('keyId', k.key_id, 'name', k.name) ORDER BY k.key_id), '[]')
    FROM promotions_trustedkey k WHERE k.tenant_id = %(tenant)s AND k.revoked_at IS NULL),
  'feeds', (SELECT coalesce(jsonb_object_agg(f.kind, jsonb_build_object({_FEED})), '{{}}') FROM ({_NEWEST}) f)
)::text
"""  # noqa: S608 - the parts are constants of this module

# The newest feed and its entries by one statement: entries of older feeds go when a newer one comes, and a feed that
# had just lost them would list nothing.
_ENTRIES = f"""
SELECT jsonb_build_object({_FEED}, 'entries', (
    SELECT coalesce(jsonb_agg(jsonb_build_array(e.cve, e.listed_on, e.score)), '[]')
    FROM promotions_feedentry e WHERE e.feed_id = f.id AND e.cve = ANY(%(cves)s)))::text
FROM ({_NEWEST}) f WHERE f.kind = %(kind)s
"""  # noqa: S608 - the parts are constants of this module


@dataclass(frozen=True, slots=True)
class GatheredDocuments:
    """``extracts`` are blobs that a record must store; ``documents`` everything that the fact names, by digest."""

    fact: EvidenceFact | None
    extracts: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)


NOTHING = GatheredDocuments(None)


def gather_documents(
    promotion: Promotion, current_release_id: str | None, unstored: BundleContent | None
) -> GatheredDocuments:
    """Nothing, and no statement, for a promotion without a bundle. ``unstored``: the bundle of one that is previewed.

    Cost: one statement while the documents and feed extracts used lately are in this process.
    """
    digest = promotion.evidence_bundle_digest
    if digest is None:
        return NOTHING
    live = _live(promotion, current_release_id)
    read_as = live["readAs"]
    given = {} if unstored is None else {unstored.digest: unstored.content}
    if unstored is not None and unstored.reader >= READER:
        read_as[digest] = digest
    current = live["current"] and (read_as.get(live["current"]) or live["current"])
    is_read = (
        read_as.get(digest) == digest
        and (current is None or read_as.get(live["current"]) is not None)
        and all(feed["refused"] is not None for feed in live["feeds"].values())
    )
    bundles = [digest, *([current] if current else [])]
    documents = {**blobs(each for each in bundles if each not in given), **given}
    documents |= blobs(_parsed(documents, bundles))
    cves = tuple(sorted(_cves(documents)))
    facts: dict[str, FeedFact | None] = {"kev": None, "epss": None}
    extracts: dict[str, bytes] = {}
    for kind, feed in live["feeds"].items():
        if feed["refused"]:
            continue
        feed_fact, content = _extract(promotion.tenant_id, kind, feed, cves)
        facts[kind], extracts[feed_fact["extract"]] = feed_fact, content
    fact: EvidenceFact = {
        "bundleId": str(promotion.evidence_bundle_id),
        "bundleDigest": digest,
        "currentBundleDigest": current,
        "kev": facts["kev"],
        "epss": facts["epss"],
        "trustedKeys": live["keys"],
        "readBy": READER if is_read else None,
    }
    return GatheredDocuments(fact, extracts, {**documents, **extracts})


def parsed_of(bundle: bytes) -> list[str]:
    """The parsed documents that a bundle names."""
    return [each["parsed"] for each in orjson.loads(bundle)["documents"]]


def _live(promotion: Promotion, current_release_id: str | None) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            _LIVE,
            {
                "tenant": promotion.tenant_id,
                "target": promotion.target_environment_id,
                "product": promotion.product,
                "current": None if current_release_id is None else UUID(current_release_id),
                "bundle": promotion.evidence_bundle_digest,
                "reader": READER,
            },
        )
        found: dict[str, Any] = orjson.loads(cursor.fetchone()[0])
        return found


def _parsed(documents: Mapping[str, bytes], bundles: Iterable[str]) -> set[str]:
    return {digest for bundle in bundles if bundle in documents for digest in parsed_of(documents[bundle])}


def _cves(documents: Mapping[str, bytes]) -> set[str]:
    return {cve for digest, content in documents.items() for cve in _named.get(digest, content)}


class _Named:
    """The CVEs that a blob names, remembered by its digest: reports are read once, not at every look."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()

    def get(self, digest: str, content: bytes) -> frozenset[str]:
        with self._lock:
            if digest in self._known:
                self._known.move_to_end(digest)
                return self._known[digest]
        found = cves_in(content)
        with self._lock:
            self._known[digest] = found
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return found


_named = _Named(256)


def cves_in(content: bytes) -> frozenset[str]:
    """Every CVE that a parsed report names, by id or alias. Other blobs have no findings."""
    names = (name for each in orjson.loads(content).get("findings", ()) for name in (each["id"], *each["aliases"]))
    return frozenset(name for name in names if _CVE.fullmatch(name))


_extracts: OrderedDict[tuple[str, tuple[str, ...]], tuple[FeedFact, bytes]] = OrderedDict()
_extracts_lock = threading.Lock()
MOST_EXTRACTS = 256


def _extract(tenant_id: UUID, kind: str, newest: Mapping[str, Any], cves: tuple[str, ...]) -> tuple[FeedFact, bytes]:
    """The entries of the newest feed of a kind for these CVEs. A feed never changes once the newest reader has read it,
    so the entries are remembered by its id.

    No statement for an extract used lately. When a newer feed came since its id was read, the newer one counts.
    """
    with _extracts_lock:
        known = _extracts.get((newest["id"], cves))
    if known is not None and newest["refused"] is not None:
        return known
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"tenant": tenant_id, "kind": kind, "cves": list(cves), "reader": READER})
        feed = orjson.loads(cursor.fetchone()[0])
    content = extract_of(kind, feed["entries"])
    fact: FeedFact = {"digest": feed["digest"], "publishedAt": feed["publishedAt"], "extract": digest_bytes(content)}
    if feed["refused"] is None:
        return fact, content
    with _extracts_lock:
        _extracts[feed["id"], cves] = (fact, content)
        while len(_extracts) > MOST_EXTRACTS:
            _extracts.popitem(last=False)
    return fact, content


def extract_of(kind: str, entries: Iterable[list[Any]]) -> bytes:
    """The blob of these entries: CVE, day and score of each."""
    return canonical_bytes(_blob(kind, sorted(entries, key=lambda entry: entry[0])))


def _blob(kind: str, entries: list[Any]) -> dict[str, Any]:
    if kind == "kev":
        return {"schema": KEV_SCHEMA, "entries": [{"cve": cve, "dateAdded": day} for cve, day, _ in entries]}
    return {"schema": EPSS_SCHEMA, "scores": [{"cve": cve, "epss": score} for cve, _, score in entries]}
