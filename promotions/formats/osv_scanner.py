"""OSV-Scanner's JSON report. Pure. Withdrawn entries are no vulnerabilities.

A finding that its configuration ignores leaves no trace in the report.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from policies.document_facts import Finding, Severity
from promotions.formats.document import Context, ReadDocument
from promotions.formats.findings import finding, findings, identities_of, if_readable, summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import any_purl, made_purl
from promotions.formats.reading import (
    DocumentRefused,
    a_list,
    an_object,
    at,
    maybe_name,
    maybe_time,
    member,
    objects,
    part,
)
from promotions.formats.scores import given_score, highest, severity, vector_score, worst

FORMAT = "osv-scanner"

_DETECTED: Final = "experimental_generic_findings"
_MEMBERS: Final = frozenset(("results", "experimental_config", _DETECTED, "image_metadata", "license_summary"))

# Ecosystem of OSV (its part before the colon) to the type and namespace of a package URL.
_TYPES: dict[str, tuple[str, str | None]] = {
    "Alpine": ("apk", "alpine"),
    "crates.io": ("cargo", None),
    "Debian": ("deb", "debian"),
    "Go": ("golang", None),
    "Hex": ("hex", None),
    "Maven": ("maven", None),
    "npm": ("npm", None),
    "NuGet": ("nuget", None),
    "Packagist": ("composer", None),
    "Pub": ("pub", None),
    "PyPI": ("pypi", None),
    "RubyGems": ("gem", None),
    "Ubuntu": ("deb", "ubuntu"),
}

_WORDS: Final = ("severity", "urgency", "ubuntu_priority")
"""Where databases say in a word how bad an entry is for a package: Debian's urgency, Ubuntu's priority, and others."""

_FOUND: Final = ("vulnerabilities", "groups")
_ANALYSES: Final = ("experimentalAnalysis", "experimental_analysis")


class _Group(NamedTuple):
    """Entries that are the same vulnerability. `ids` are theirs, `names` these and their aliases."""

    ids: list[str]
    names: list[str]
    content: dict[str, Any]
    place: str


class _Package(NamedTuple):
    """`groups`: by the id of an entry, those that name it."""

    name: str
    version: str | None
    purl: str | None
    groups: dict[str, list[_Group]]


def recognises(document: dict[str, Any]) -> bool:
    """By its packages; without any by having no other members than OSV-Scanner's: many tools write `results`."""
    results = document.get("results")
    return isinstance(results, list) and (
        any(isinstance(each, dict) and "packages" in each for each in results)
        or (not results and _MEMBERS.issuperset(document))
    )


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> ReadDocument:  # noqa: ARG001
    """The report says by no digest what it is about, so nothing is compared with the artifact.

    DocumentRefused where it lists no package: OSV-Scanner writes the same where it found nothing to scan.
    """
    left_out = Omissions()
    packages = [
        (package, spot, source)
        for result, where in objects(document, "results", place)
        for source in [part(result, "source", where)]
        for package, spot in objects({"packages": member(result, "packages", where)}, "packages", where)
    ]
    _check_scanned(packages, at(place, "results"))
    if detected := a_list(document.get(_DETECTED) or [], at(place, _DETECTED)):
        left_out.add("findings of OSV-Scanner's detectors", at(place, _DETECTED), len(detected))
    report = findings((each for entry in packages for each in _all_findings(*entry, left_out)), left_out)
    return ReadDocument(FORMAT, report, FORMAT, None, summary(report, left_out))


def _check_scanned(packages: list[tuple[dict[str, Any], str, dict[str, Any]]], place: str) -> None:
    """A list of packages for OSV-Scanner (`osv-scanner.json`) has the same form, without saying where they stand."""
    if not any(
        any(entry.get(name) for name in _FOUND) or (source.get("path") and _is_named(entry.get("package")))
        for entry, _, source in packages
    ):
        raise DocumentRefused(
            "No package is listed here as scanned, and a tool that looked at nothing writes the same: run osv-scanner"
            " with --all-packages and --format json (before version 2 with --experimental-all-packages).",
            place,
        )


def _is_named(package: object) -> bool:
    return isinstance(package, dict) and bool(package.get("name") or package.get("commit"))


def _all_findings(entry: dict[str, Any], place: str, source: dict[str, Any], left_out: Omissions) -> Iterable[Finding]:
    listed, grouped = (a_list([] if entry.get(name) is None else entry[name], at(place, name)) for name in _FOUND)
    if not listed and not grouped:
        return
    try:
        package = _package(entry, place, source, left_out)
    except DocumentRefused as refused:
        left_out.add_unreadable(refused, len(listed) or len(grouped))
        return
    yield from left_out.readable(
        entry, "vulnerabilities", place, lambda found, where: _findings(found, where, package, left_out)
    )
    known = {if_readable(maybe_name, each, "id", place) for each in listed if isinstance(each, dict)}
    for osv_id, groups in package.groups.items():
        if osv_id not in known:
            yield from _without_entry(osv_id, groups, package, left_out)


def _without_entry(osv_id: str, groups: list[_Group], package: _Package, left_out: Omissions) -> list[Finding]:
    """The finding of a vulnerability that only groups name."""
    try:
        scores = [_highest_of(each.content, each.place) for each in groups]
        known = identities_of({"id": osv_id}, groups[0].place, _names_of(groups), left_out)
    except DocumentRefused as refused:
        left_out.add_unreadable(refused)
        return []
    called = [one for each in groups for one in _called(each.content, osv_id, each.place)]
    return [
        finding(
            identity=identity,
            component=package.name,
            version=package.version,
            purl=package.purl,
            cvss=highest(scores),
            word="unknown",
            reachable=True in called if called else None,
        )
        for identity in known
    ]


def _names_of(groups: Iterable[_Group]) -> list[str]:
    return [name for each in groups for name in each.names]


def _package(entry: dict[str, Any], place: str, source: dict[str, Any], left_out: Omissions) -> _Package:
    """A package that is known by its commit only has no name: it is named so, or by where it was found."""
    inside = at(place, "package")
    package = an_object(member(entry, "package", place), inside)
    given = maybe_name(package, "name", inside)
    name = given or maybe_name(package, "commit", inside) or maybe_name(source, "path", inside)
    if name is None:
        raise DocumentRefused("The package has neither a name nor a commit.", inside)
    version = maybe_name(package, "version", inside)
    groups: dict[str, list[_Group]] = {}
    for group in left_out.readable(entry, "groups", place, lambda one, spot: _group(one, spot, left_out)):
        for osv_id in group.ids:
            groups.setdefault(osv_id, []).append(group)
    return _Package(name, version, None if given is None else _purl(package, given, version), groups)


def _group(group: dict[str, Any], place: str, left_out: Omissions) -> list[_Group]:
    aliases = left_out.names(group, "aliases", place)
    ids = left_out.names(group, "ids", place) or aliases
    given = group.get("ids")
    blank = all(isinstance(each, str | None) for each in (given if isinstance(given, list) else [given]))
    if not ids and blank:  # what is no text was counted
        raise DocumentRefused("A group names its entries in ids.", place)
    return [_Group(ids, [*ids, *aliases], group, place)]


def _purl(package: dict[str, Any], name: str, version: str | None) -> str | None:
    given = any_purl(package.get("purl"))
    ecosystem = package.get("ecosystem")
    known = _TYPES.get(ecosystem.partition(":")[0]) if isinstance(ecosystem, str) else None
    if given is not None or known is None:
        return given
    kind, namespace = known
    if kind == "maven":
        namespace, _, name = name.rpartition(":")
    elif kind in ("npm", "golang", "composer"):
        namespace, _, name = name.rpartition("/")
    return made_purl(kind, namespace or None, name, version)


def _findings(found: dict[str, Any], place: str, package: _Package, left_out: Omissions) -> Iterable[Finding]:
    if _is_withdrawn(found, place):
        return ()
    osv_id = if_readable(maybe_name, found, "id", place) or ""
    groups = package.groups.get(osv_id, [])
    others = [
        *left_out.names(found, "aliases", place),
        *left_out.names(found, "upstream", place),
        *_names_of(groups),
    ]
    said = [*_words_and_scores(found, place)]
    scores = [*(score for _, score in said), *(_highest_of(each.content, each.place) for each in groups)]
    called = [one for each in groups for one in _called(each.content, osv_id, each.place)]
    published = if_readable(maybe_time, found, "published", place)
    fixed = if_readable(partial(_fixed, package.name), found, "affected", place) if "affected" in found else None
    return [
        finding(
            identity=identity,
            component=package.name,
            version=package.version,
            purl=package.purl,
            cvss=highest(scores),
            word=severity(_details(found, "database_specific").get("severity")),
            other_words=[word for word, _ in said],
            reachable=True in called if called else None,
            published_at=published,
            fixed_version=fixed,
        )
        for identity in identities_of(found, place, others, left_out)
    ]


def _is_withdrawn(found: dict[str, Any], place: str) -> bool:
    """By a time that is not after the entry's last change, which to withdraw it is: OSV asks for both."""
    withdrawn, modified = (if_readable(maybe_time, found, name, place) for name in ("withdrawn", "modified"))
    return withdrawn is not None and modified is not None and withdrawn <= modified


def _words_and_scores(found: dict[str, Any], place: str) -> Iterator[tuple[Severity, float | None]]:
    """The words and scores of an entry, also those for one of its packages: which package this is may be unknown."""
    yield from _rated(found, place)
    yield from _in_details(found, "database_specific")
    for affected, where in objects(found, "affected", place):
        yield from _rated(affected, where)
        yield from _in_details(affected, "database_specific")
        yield from _in_details(affected, "ecosystem_specific")


def _rated(holder: dict[str, Any], place: str) -> Iterator[tuple[Severity, float | None]]:
    """`severity`: vectors, and for Ubuntu a word."""
    for rating, _ in objects(holder, "severity", place):
        yield severity(rating.get("score")), vector_score(rating.get("score"))


def _in_details(holder: dict[str, Any], name: str) -> Iterator[tuple[Severity, float | None]]:
    """The severity and score that a database adds in a form of its own; RustSec has its vector there."""
    if details := _details(holder, name):
        yield worst([severity(details.get(word)) for word in _WORDS]), vector_score(details.get("cvss"))


def _details(holder: dict[str, Any], name: str) -> dict[str, Any]:
    details = holder.get(name)
    return details if isinstance(details, dict) else {}


def _highest_of(group: dict[str, Any], place: str) -> float | None:
    """The highest score of a set of entries that are the same vulnerability: a number, as text."""
    text = group.get("max_severity")
    if isinstance(text, str):
        try:
            group = {"max_severity": float(text) if text else None}
        except ValueError:
            raise DocumentRefused("A CVSS score is a number from 0 to 10.", at(place, "max_severity")) from None
    return given_score(group, "max_severity", place)


def _called(group: dict[str, Any], osv_id: str, place: str) -> list[bool]:
    found = [
        part(part(group, name, place), osv_id, at(place, name)).get("called") for name in _ANALYSES if name in group
    ]
    return [each for each in found if isinstance(each, bool)]


def _fixed(package: str, found: dict[str, Any], name: str, place: str) -> str | None:
    fixed: set[str] = set()
    for affected, where in objects(found, name, place):
        if part(affected, "package", where).get("name") != package:
            continue
        for span, spot in objects(affected, "ranges", where):
            if span.get("type") != "GIT":
                events = objects(span, "events", spot)
                fixed.update(version for event, here in events if (version := maybe_name(event, "fixed", here)))
    return ", ".join(sorted(fixed)) or None
