"""VEX: which findings of an artifact trusted statements lift, and no others (domain.md §6, docs/adr/0081)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.document_facts import VEX_SCHEMA, DocumentFact, LeftOut
from policies.security.ages import made_at
from policies.security.findings import Record
from policies.security.packages import Package, image_digest, package
from policies.windows import check_instant

LIFTING: Final = frozenset({"fixed", "not_affected"})

Covers = Callable[[Package, Package], bool]
"""Whether a statement about the first package speaks of the second."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`digests` and `packages`: the products it names; neither: the whole artifact. `cves`: the CVEs it is about."""

    cves: frozenset[str]
    status: str
    justification: str | None
    stated_at: str | None
    digests: frozenset[str]
    packages: tuple[Package, ...]

    def speaks_of(self, record: Record, about: Collection[str], covers: Covers) -> bool:
        """Whether it names this finding's component, or what the report is `about`: the artifact, or a part of it.

        The two share some name. Where both have a CVE it must be the same: one advisory may cover several.
        """
        if self.cves and record.key[0].startswith("CVE-") and self.cves.isdisjoint(record.names):
            return False
        if not self.digests and not self.packages:
            return True
        if not self.digests.isdisjoint(about):
            return True
        return record.purl is not None and any(covers(each, record.purl) for each in self.packages)


class Statements(dict[str, tuple[Statement, ...]]):
    """Statements by each name of the vulnerability that they are about. `left_out`: what the reader left out."""

    __slots__ = ("left_out",)

    left_out: tuple[LeftOut, ...]


def statements(blob: Mapping[str, Any]) -> Statements:
    """The statements of a VEX blob. ValueError or KeyError when it is none."""
    if blob["schema"] != VEX_SCHEMA:
        raise ValueError("no VEX")
    found: dict[str, list[Statement]] = {}
    for each in blob["statements"]:
        named = [package(product) for product in each["products"] if product.startswith("pkg:")]
        images = {digest for digest in map(image_digest, named) if digest is not None}
        names = {each["vulnerability"], *each["aliases"]}
        statement = Statement(
            cves=frozenset(name for name in names if name.startswith("CVE-")),
            status=each["status"],
            justification=each["justification"],
            stated_at=each["statedAt"],
            digests=frozenset({product for product in each["products"] if not product.startswith("pkg:")} | images),
            packages=tuple(named),
        )
        for name in names:
            found.setdefault(name, []).append(statement)
    made = Statements({name: tuple(those) for name, those in found.items()})
    made.left_out = tuple(blob.get("leftOut", ()))
    return made


@dataclass(frozen=True, slots=True)
class Source:
    """One VEX document of an artifact."""

    document: DocumentFact
    trusted: bool
    statements: Statements


@dataclass(frozen=True, slots=True)
class Lift:
    """The statement that lifts a finding: its status, its justification, and the digest of its document."""

    status: str
    justification: str | None
    document: str

    @property
    def order(self) -> tuple[str, str, str]:
        """The order of several lifts of one finding: the first is shown."""
        return self.document, self.status, self.justification or ""


def lift(record: Record, about: Collection[str], sources: Sequence[Source], covers: Covers) -> Lift | None:
    """The newest statement about the finding, if it is trusted and says not_affected or fixed; else None.

    `about`: the digests by which a product names the thing that the finding's report is about.

    Only trusted statements lift. A statement that a finding does affect, or is under investigation, counts from
    anybody. Of statements of the same time the one that does not lift decides.
    """
    best: tuple[str, bool] | None = None
    lifts: list[tuple[str, str, str]] = []
    for source in sources:
        for name in record.names:
            for statement in source.statements.get(name, ()):
                lifting = statement.status in LIFTING
                if (lifting and not source.trusted) or not statement.speaks_of(record, about, covers):
                    continue
                standing = (_statement_time(statement, source.document), not lifting)
                if best is None or standing > best:
                    best, lifts = standing, []
                if standing == best:
                    lifts.append((source.document["digest"], statement.status, statement.justification or ""))
    if best is None or best[1]:
        return None
    document, status, justification = min(lifts)
    return Lift(status, justification or None, document)


def _statement_time(statement: Statement, document: DocumentFact) -> str:
    """The time of the statement; never later than the upload."""
    if statement.stated_at is None:
        return made_at(document)
    check_instant(statement.stated_at)
    check_instant(document["uploadedAt"])
    return min(statement.stated_at, document["uploadedAt"])
