"""What is known of the artifacts, as it stands in a gate input: the bundle, the feeds, the trusted keys (domain.md §6).

The bundle is the one the promotion is bound to. Feeds and trusted keys are live: the newest feed of a kind counts, and
only what of it concerns the two bundles is kept, as a blob of its own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from policies.evidence_facts import EPSS_SCHEMA, KEV_SCHEMA, EvidenceFact, FeedFact
from promotions.blobs import blobs
from promotions.models import FeedEntry, Promotion
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")

_LIVE = """
SELECT jsonb_build_object(
  'current', (
    SELECT d.evidence_bundle_digest FROM promotions_promotion d
    WHERE d.target_environment_id = %(target)s AND d.product = %(product)s AND d.status = 'deployed'
      AND d.release_id = %(current)s
    ORDER BY d.completed_at DESC, d.number DESC LIMIT 1),
  'keys', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('keyId', k.key_id, 'name', k.name) ORDER BY k.key_id), '[]')
    FROM promotions_trustedkey k WHERE k.tenant_id = %(tenant)s AND k.revoked_at IS NULL),
  'feeds', (
    SELECT coalesce(jsonb_object_agg(f.kind, jsonb_build_object('id', f.id, 'digest', f.digest,
                    'publishedAt', to_char(f.published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))), '{}')
    FROM (SELECT DISTINCT ON (kind) kind, id, digest, published_at FROM promotions_feed
          WHERE tenant_id = %(tenant)s ORDER BY kind, published_at DESC, id DESC) f)
)::text
"""


@dataclass(frozen=True, slots=True)
class Gathered:
    """``extracts`` are blobs that a record must store; ``documents`` everything that the fact names, by digest."""

    fact: EvidenceFact | None
    extracts: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)


NOTHING = Gathered(None)


def gather_evidence(promotion: Promotion, current_release_id: str | None, unstored: Mapping[str, bytes]) -> Gathered:
    """Nothing, and no statement, for a promotion without a bundle. ``unstored``: a bundle that is only previewed.

    Cost: one statement while the documents and feed extracts used lately are in this process.
    """
    digest = promotion.evidence_bundle_digest
    if digest is None:
        return NOTHING
    live = _live(promotion, current_release_id)
    bundles = [digest, *([live["current"]] if live["current"] else [])]
    documents = {**blobs(each for each in bundles if each not in unstored), **unstored}
    documents |= blobs(_parsed(documents, bundles))
    cves = tuple(sorted(_cves(documents)))
    facts: dict[str, FeedFact | None] = {"kev": None, "epss": None}
    extracts: dict[str, bytes] = {}
    for kind, feed in live["feeds"].items():
        extract, content = _extract(kind, feed["id"], cves)
        extracts[extract] = content
        facts[kind] = {"digest": feed["digest"], "publishedAt": feed["publishedAt"], "extract": extract}
    fact: EvidenceFact = {
        "bundleId": str(promotion.evidence_bundle_id),
        "bundleDigest": digest,
        "currentBundleDigest": live["current"],
        "kev": facts["kev"],
        "epss": facts["epss"],
        "trustedKeys": live["keys"],
    }
    return Gathered(fact, extracts, {**documents, **extracts})


def digests_of(fact: EvidenceFact) -> list[str]:
    """The blobs that the fact names itself: bundles and extracts."""
    feeds = [feed["extract"] for feed in (fact["kev"], fact["epss"]) if feed is not None]
    return [each for each in (fact["bundleDigest"], fact["currentBundleDigest"], *feeds) if each is not None]


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
            },
        )
        found: dict[str, Any] = orjson.loads(cursor.fetchone()[0])
        return found


def _parsed(documents: Mapping[str, bytes], bundles: Iterable[str]) -> set[str]:
    return {digest for bundle in bundles if bundle in documents for digest in _parsed_once(documents[bundle])}


@lru_cache(maxsize=64)
def _parsed_once(bundle: bytes) -> tuple[str, ...]:
    return tuple(parsed_of(bundle))


def _cves(documents: Mapping[str, bytes]) -> set[str]:
    return {cve for content in documents.values() for cve in _cves_once(content)}


@lru_cache(maxsize=256)
def _cves_once(content: bytes) -> frozenset[str]:
    """Every CVE that a parsed report names, by id or alias. Other blobs have no findings."""
    names = (name for each in orjson.loads(content).get("findings", ()) for name in (each["id"], *each["aliases"]))
    return frozenset(name for name in names if _CVE.fullmatch(name))


@lru_cache(maxsize=256)
def _extract(kind: str, feed_id: str, cves: tuple[str, ...]) -> tuple[str, bytes]:
    """What a feed says of these CVEs, and its digest. A feed never changes, so neither does this."""
    entries = FeedEntry.objects.filter(feed_id=feed_id, cve__in=cves).order_by("cve")
    blob: dict[str, Any]
    if kind == "kev":
        listed = [{"cve": cve, "dateAdded": f"{day}"} for cve, day in entries.values_list("cve", "listed_on")]
        blob = {"schema": KEV_SCHEMA, "entries": listed}
    else:
        scores = [{"cve": cve, "epss": score} for cve, score in entries.values_list("cve", "score")]
        blob = {"schema": EPSS_SCHEMA, "scores": scores}
    content = canonical_bytes(blob)
    return digest_bytes(content), content
