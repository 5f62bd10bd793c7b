"""The findings of a bundle of documents: the union over its reports, less what VEX lifts (domain.md §6)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from policies.context import Context
from policies.document_facts import BUNDLE_SCHEMA, Bundle, DocumentFact
from policies.security.findings import Key, Reader, Record, Report, merged, unsuppressed
from policies.security.trust import Trust
from policies.security.vex import Covers, Lift, Source, Statements, lift, statements


def bundle(context: Context, digest: str) -> Bundle:
    """The bundle of this digest. ValueError or KeyError when it is none, DocumentMissing."""
    blob: Mapping[str, Any] = context.document(digest)
    if blob["schema"] != BUNDLE_SCHEMA:
        raise ValueError("no bundle")
    return cast("Bundle", blob)


def of_kind(found: Bundle, kind: str) -> list[DocumentFact]:
    """The documents of one kind."""
    return [each for each in found["documents"] if each["kind"] == kind]


@dataclass(frozen=True, slots=True)
class Documents:
    """The reports and the VEX documents of a bundle, each with what was read in it."""

    vex: tuple[tuple[DocumentFact, Statements], ...]
    reports: tuple[tuple[DocumentFact, Report], ...]


def documents(context: Context, found: Bundle, reader: Reader) -> Documents:
    """Reads them all, or remembers it. DocumentMissing; ValueError or KeyError for what is none."""
    return Documents(
        tuple((each, context.derived(each["parsed"], statements)) for each in of_kind(found, "vex")),
        tuple((each, context.derived(each["parsed"], reader)) for each in of_kind(found, "vulnerabilities")),
    )


@dataclass(frozen=True, slots=True)
class Union:
    """`findings`: those that no statement lifts, by key. `suppressed`: those of them that scanners left out by a rule.
    `lifted`: findings that a statement lifts in every artifact that has them."""

    findings: dict[Key, Record]
    suppressed: dict[Key, Record]
    lifted: dict[Key, tuple[Record, Lift]]

    def counted(self, *, accept_suppressed: bool) -> Mapping[Key, Record]:
        """The findings that rules judge."""
        if not accept_suppressed or not self.suppressed:
            return self.findings
        return {key: record for key, record in self.findings.items() if key not in self.suppressed}


def union(read: Documents, trust: Trust, covers: Covers) -> Union:
    """The findings of all reports, trusted or not. A statement lifts in its own artifact, from each report by itself:
    what one report calls by a name that the statement does not know stays.

    A VEX document about a part of the artifact, and a product that names one, speak of reports about that part alone.
    That a finding is suppressed counts only by a report that is trusted.
    """
    sources: dict[str, list[Source]] = {}
    for document, said_there in read.vex:
        source = Source(document, trust.holds_for(document), said_there)
        sources.setdefault(document["artifactDigest"], []).append(source)
    live: dict[Key, Record] = {}
    lifted: dict[Key, tuple[Record, Lift]] = {}
    suppresses = False
    for document, report in read.reports:
        records: Iterable[Record] = report.records
        if report.suppresses:
            if trust.holds_for(document):
                suppresses = True
            else:
                records = unsuppressed(records)
        about = {document["artifactDigest"], document.get("about", document["artifactDigest"])}
        said = [
            source
            for source in sources.get(document["artifactDigest"], ())
            if source.document.get("about", document["artifactDigest"]) in about
        ]
        if said:
            records = _left(records, about, said, covers, lifted)
        merged(records, live)
    return Union(
        live,
        {key: record for key, record in live.items() if record.suppressed is not None} if suppresses else {},
        {key: each for key, each in lifted.items() if key not in live},
    )


def _left(
    records: Iterable[Record],
    about: Collection[str],
    said: Sequence[Source],
    covers: Covers,
    lifted: dict[Key, tuple[Record, Lift]],
) -> list[Record]:
    """The records that no statement lifts; the others join `lifted`."""
    left, named = [], frozenset().union(*(source.statements for source in said))
    for record in records:
        if named.isdisjoint(record.names):
            left.append(record)
            continue
        by = lift(record, about, said, covers)
        if by is None:
            left.append(record)
        elif record.key not in lifted or by.order < lifted[record.key][1].order:
            lifted[record.key] = record, by
    return left


def baseline(context: Context, digest: str | None, trust: Trust, reader: Reader) -> frozenset[Key] | None:
    """The findings of trusted reports about a release that was promoted under this bundle; None without such a
    report."""
    if digest is None:
        return None
    reports = [each for each in of_kind(bundle(context, digest), "vulnerabilities") if trust.holds_for(each)]
    if not reports:
        return None
    return frozenset().union(*(context.derived(each["parsed"], reader).known for each in reports))
