"""The findings of a bundle of documents: the union over its reports, less what VEX lifts (domain.md §6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from policies.context import Context
from policies.evidence_facts import BUNDLE_SCHEMA, Bundle, DocumentFact
from policies.security.findings import Record, merged, report
from policies.security.trust import Trust
from policies.security.vex import Lift, Source, lift, statements


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
class Union:
    """`findings`: those that count, by key. `lifted`: what no artifact has but with a statement that lifts it."""

    findings: dict[tuple[str, str], Record]
    lifted: dict[tuple[str, str], tuple[Record, Lift]]


def union(context: Context, found: Bundle, trust: Trust) -> Union:
    """The findings of all reports, trusted or not. A statement lifts in its own artifact, from each report by itself:
    what one report calls by a name that the statement does not know stays."""
    sources: dict[str, list[Source]] = {}
    for document in of_kind(found, "vex"):
        read = context.derived(document["parsed"], statements)
        sources.setdefault(document["artifactDigest"], []).append(Source(document, trust.holds_for(document), read))
    live: dict[tuple[str, str], Record] = {}
    lifted: dict[tuple[str, str], tuple[Record, Lift]] = {}
    for document in of_kind(found, "vulnerabilities"):
        records: Iterable[Record] = context.derived(document["parsed"], report).records
        artifact = document["artifactDigest"]
        said = sources.get(artifact)
        if said is not None:
            left, named = [], frozenset().union(*(source.statements for source in said))
            for record in records:
                if named.isdisjoint(record.names):
                    left.append(record)
                    continue
                by = lift(record, artifact, said)
                if by is None:
                    left.append(record)
                elif record.key not in lifted or by.order < lifted[record.key][1].order:
                    lifted[record.key] = record, by
            records = left
        merged(records, live)
    return Union(live, {key: each for key, each in lifted.items() if key not in live})


def baseline(context: Context, digest: str | None, trust: Trust) -> frozenset[tuple[str, str]] | None:
    """What trusted reports know of a release that was promoted under this bundle; None when there are none."""
    if digest is None:
        return None
    reports = [each for each in of_kind(bundle(context, digest), "vulnerabilities") if trust.holds_for(each)]
    if not reports:
        return None
    return frozenset().union(*(context.derived(each["parsed"], report).known for each in reports))
