"""Compares the feeds and keys in an input with those that counted at its instant: a person who changes entries or keys
and puts them back after a decision leaves the rows as they were (domain.md §6)."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from promotions.documents.blobs import blobs
from promotions.documents.uploading import DocumentUnread, UploadsBusy, read_in_isolation
from promotions.formats.document import READER
from promotions.judging.document_gathering import cves_in, extract_of, parsed_of
from promotions.models import Feed, TrustedKey
from promotions.verification.uploads import MEANWHILE
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import digest_bytes

KINDS: Final = ("kev", "epss")
MOST_READ: Final = 2
"""The number of feeds kept as they were read: EPSS has some 300,000 entries."""

Entries = Mapping[str, tuple[str | None, float | None]]


@dataclass(frozen=True, slots=True)
class _Feed:
    kind: str
    digest: str
    published: str
    at: datetime
    refused: bool


@dataclass(slots=True)
class GatheredFactsCheck:
    """The feeds and keys that counted at an instant, for one tenant after another. Rows are read once for some
    promotions, contents of a digest once for each walk."""

    tenant_id: UUID | None = None
    feeds: list[_Feed] = field(default_factory=list)
    keys: list[TrustedKey] = field(default_factory=list)
    read: OrderedDict[tuple[str, str], Entries | None] = field(default_factory=OrderedDict)
    fitting: set[tuple[str, str, frozenset[str]]] = field(default_factory=set)

    def forget_rows(self) -> None:
        """Feeds and keys come while a walk goes on."""
        self.tenant_id = None

    def other_places(self, tenant_id: UUID, evidence: Mapping[str, Any] | None, at: datetime) -> Iterator[str]:
        """The places of the evidence of an input that say something else. One that another version of the reader read
        is not read again. Two statements for each tenant, then those of `_extract_fits`."""
        if evidence is None or evidence.get("readBy") != READER:
            return
        self._of(tenant_id)
        if not self._keys_fit({(each["keyId"], each["name"]) for each in evidence["trustedKeys"]}, at):
            yield "evidence.trustedKeys"
        bundles = frozenset(filter(None, (evidence["bundleDigest"], evidence["currentBundleDigest"])))
        for kind in KINDS:
            recorded = evidence[kind]
            if not self._counted(kind, recorded, at) or (
                recorded is not None and not self._extract_fits(kind, recorded, bundles)
            ):
                yield f"evidence.{kind}"

    def _of(self, tenant_id: UUID) -> None:
        if self.tenant_id == tenant_id:
            return
        rows = Feed.objects.filter(tenant_id=tenant_id).order_by("uploaded_at", "pk").prefetch_related("readings")
        self.feeds = [
            _Feed(row.kind, row.content_id, rfc3339(row.published_at), row.uploaded_at, _is_refused(row))
            for row in rows
        ]
        self.keys = list(TrustedKey.objects.filter(tenant_id=tenant_id))
        self.tenant_id = tenant_id

    def _keys_fit(self, recorded: set[tuple[str, str]], at: datetime) -> bool:
        """Keys added or revoked in the minute around may or may not have counted."""
        soon, late = at - MEANWHILE, at + MEANWHILE
        must = {_key(key) for key in self.keys if key.added_at < soon and not _revoked(key, late)}
        may = {_key(key) for key in self.keys if key.added_at <= late and not _revoked(key, soon)}
        return must <= recorded <= may

    def _counted(self, kind: str, recorded: Mapping[str, Any] | None, at: datetime) -> bool:
        """Whether that feed of the kind was the newest one; none where there was none, or where it cannot be read."""
        before = [each for each in self.feeds if each.kind == kind and each.at < at - MEANWHILE][-1:]
        around = [each for each in self.feeds if each.kind == kind and abs(each.at - at) <= MEANWHILE]
        possible = before + around
        if recorded is None:
            return not before or any(each.refused for each in possible)
        return (recorded["digest"], recorded["publishedAt"]) in {
            (each.digest, each.published) for each in possible if not each.refused
        }

    def _extract_fits(self, kind: str, recorded: Mapping[str, Any], bundles: frozenset[str]) -> bool:
        """Whether the extract has the entries of the feed's bytes for the CVEs that the bundles name.

        Reads the feed in the isolated child: seconds for EPSS, once for each walk. A feed that cannot be read in time
        is left to the next one.
        """
        key = (recorded["digest"], recorded["extract"], bundles)
        if key in self.fitting:
            return True
        contents = blobs(bundles)
        parsed = blobs({each for content in contents.values() for each in parsed_of(content)})
        cves = {cve for content in parsed.values() for cve in cves_in(content)}
        entries = self._entries(kind, recorded["digest"])
        if entries is None:
            return True
        if (
            digest_bytes(extract_of(kind, [[cve, *entries[cve]] for cve in cves & entries.keys()]))
            != recorded["extract"]
        ):
            return False
        self.fitting.add(key)
        return True

    def _entries(self, kind: str, digest: str) -> Entries | None:
        if (kind, digest) not in self.read:
            self.read[kind, digest] = _entries_of(kind, digest)
            while len(self.read) > MOST_READ:
                self.read.popitem(last=False)
        return self.read[kind, digest]


def _entries_of(kind: str, digest: str) -> Entries | None:
    try:
        parsed = read_in_isolation(kind, "", blobs([digest])[digest])["parsed"]
    except (DocumentUnread, UploadsBusy):
        return None
    if kind == Feed.Kind.KEV:
        return {each["cve"]: (each["dateAdded"], None) for each in parsed["entries"]}
    return {each["cve"]: (None, each["epss"]) for each in parsed["scores"]}


def _is_refused(feed: Feed) -> bool:
    readings = [each for each in feed.readings.all() if each.reader == READER]
    return feed.reader < READER and any(each.refused for each in readings)


def _key(key: TrustedKey) -> tuple[str, str]:
    return key.key_id, key.name


def _revoked(key: TrustedKey, at: datetime) -> bool:
    return key.revoked_at is not None and key.revoked_at <= at
