"""Findings as the rules see them: read once from a report, merged over reports and artifacts (domain.md §6).

Two findings are the same when the same component has the same vulnerability by the names that each report itself gives
for it. No report can make two findings of another one the same, so one more finding never makes fewer (docs/adr/0080).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from operator import attrgetter
from typing import Any, Final

from policies.document_facts import FINDINGS_SCHEMA, Finding, LeftOut
from policies.security.packages import Package, package, without_qualifiers
from policies.security.severities import BANDS, Grade
from stellapromote.signing.canonical_json import digest

Key = tuple[str, str]

_by_order = attrgetter("order")

LONGEST_ID: Final = 400
"""Longer ids are cut and end in their digest: an override names them, and a line holds 512 characters."""


@dataclass(frozen=True, slots=True)
class Record:
    """One vulnerability in one component.

    `key` identifies it: the vulnerability's one name and the component's place. `order`: the worst first, for people.
    `names` are all its names, `cves` those that feeds know. `package` is the place without version, qualifiers and
    subpath; a component without a package URL has its name as a package, and with the version as a place. `rank` is
    that of its worst known severity, -1 when none is known; `unscored`: some report knows none. `suppressed`: the rule
    by which scanners left it out, where every report has one.
    """

    key: Key
    order: tuple[int, float, Key]
    names: frozenset[str]
    cves: tuple[str, ...]
    package: str
    component: str
    version: str | None
    purl: Package | None
    rank: int
    unscored: bool
    cvss: float | None
    reachable: bool | None
    fixed_version: str | None
    suppressed: str | None

    @property
    def id(self) -> str:
        """`CVE-2019-14697@pkg:apk/alpine/musl@1.1.22-r2`: the name by which details and overrides call it."""
        full = f"{self.key[0]}@{self.key[1]}"
        return full if len(full) <= LONGEST_ID else f"{full[: LONGEST_ID - 72]}…{digest(full)}"


@dataclass(frozen=True, slots=True)
class Report:
    """The records of one report. `known`: the name of each vulnerability with its package without version.

    `suppresses`: some record is suppressed. `left_out`: the parts that its reader left out.
    """

    records: tuple[Record, ...]
    known: frozenset[tuple[str, str]]
    suppresses: bool
    left_out: tuple[LeftOut, ...]

    def __len__(self) -> int:
        return len(self.records)


Place = Callable[[str], str]
"""The component of a package URL: components of the same place are the same."""

Reader = Callable[[Mapping[str, Any]], Report]
"""Makes the report of a findings blob. ValueError or KeyError when it is none. What one makes is remembered for it."""


def as_written(purl: str) -> str:
    """Each package URL is a place of its own."""
    return purl


def reader(grade: Grade, place: Place = without_qualifiers) -> Reader:
    """A reader of reports by which a finding has the severity and the place that these say."""

    def read(blob: Mapping[str, Any]) -> Report:
        if blob["schema"] != FINDINGS_SCHEMA:
            raise ValueError("no findings")
        records = tuple(_record(each, grade, place) for each in blob["findings"])
        return Report(
            records,
            frozenset((name, record.package) for record in records for name in record.names),
            any(record.suppressed is not None for record in records),
            tuple(blob.get("leftOut", ())),
        )

    return read


def _record(finding: Finding, grade: Grade, place: Place) -> Record:
    purl, version = finding["purl"], finding["version"]
    parts = None if purl is None else package(purl)
    unversioned = f"{finding['component']}@{version}" if version else finding["component"]
    rank = grade(finding)
    unscored = rank < 0 or finding.get("unscored", False)
    key = (_vulnerability(finding), place(purl) if purl else unversioned)
    names = frozenset((finding["id"], *finding["aliases"]))
    return Record(
        key=key,
        order=_order(rank, unscored, finding["cvss"], key),
        names=names,
        cves=_cves(names),
        package=finding["component"] if parts is None else parts.name,
        component=finding["component"],
        version=version,
        purl=parts,
        rank=rank,
        unscored=unscored,
        cvss=finding["cvss"],
        reachable=finding["reachable"],
        fixed_version=finding["fixedVersion"],
        suppressed=finding.get("suppressed"),
    )


def _vulnerability(finding: Finding) -> str:
    """The one name among those that the finding itself has: its CVE where there is one."""
    if finding["id"].startswith("CVE-"):
        return finding["id"]
    cves = [each for each in finding["aliases"] if each.startswith("CVE-")]
    return min(cves or [finding["id"], *finding["aliases"]])


def _cves(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if name.startswith("CVE-")))


def merged(records: Iterable[Record], into: dict[Key, Record]) -> None:
    """Adds records to those that are there; of the same finding the worse of everything counts."""
    for record in records:
        there = into.get(record.key)
        if there is None:
            into[record.key] = record
        elif there is not record:
            into[record.key] = _worse(there, record)


def unsuppressed(records: Iterable[Record]) -> Sequence[Record]:
    """The same, none of them suppressed."""
    return [record if record.suppressed is None else replace(record, suppressed=None) for record in records]


def _worse(one: Record, other: Record) -> Record:
    scores = [each.cvss for each in (one, other) if each.cvss is not None]
    fixes = [each.fixed_version for each in (one, other) if each.fixed_version is not None]
    component, version = min((each.component, each.version or "") for each in (one, other))
    reach = {one.reachable, other.reachable}
    suppressed = [each.suppressed for each in (one, other) if each.suppressed is not None]
    rank, unscored, cvss = max(one.rank, other.rank), one.unscored or other.unscored, max(scores, default=None)
    return Record(
        key=one.key,
        order=_order(rank, unscored, cvss, one.key),
        names=one.names | other.names,
        cves=_cves(one.names | other.names),
        package=min(one.package, other.package),
        component=component,
        version=version or None,
        purl=one.purl,
        rank=rank,
        unscored=unscored,
        cvss=cvss,
        reachable=True if True in reach else None if None in reach else False,
        fixed_version=min(fixes, default=None),
        suppressed=min(suppressed) if len(suppressed) == 2 else None,
    )


def _order(rank: int, unscored: bool, cvss: float | None, key: Key) -> tuple[int, float, Key]:
    return -(len(BANDS) if unscored else rank), -(cvss or 0.0), key


def worst(records: Iterable[Record]) -> Record:
    """The most urgent finding. ValueError when there is none."""
    return min(records, key=_by_order)


def worst_first(records: Iterable[Record], most: int) -> list[Record]:
    """The first of them by urgency, that many at most."""
    return nsmallest(most, records, key=_by_order)


def ranked(records: Iterable[Record], rank_of_unknown: int) -> list[tuple[int, Record]]:
    """Each after the rank that counts: one report that knows no severity makes it at least as bad as the unknown."""
    return [(max(each.rank, rank_of_unknown) if each.unscored else each.rank, each) for each in records]


def severity_words(record: Record) -> str:
    """`critical, CVSS 9.8` or `severity unknown`: what the reports say, before the unknown counts as something."""
    if record.rank < 0:
        return "severity unknown"
    return BANDS[record.rank] if record.cvss is None else f"{BANDS[record.rank]}, CVSS {record.cvss:.1f}"
