"""Grype's JSON report. Pure."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from policies.document_facts import Finding, Severity
from promotions.formats.document import UNBOUND, Binding, Context, ReadDocument
from promotions.formats.findings import cased, finding, findings, identities_of, if_readable, summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import any_purl, check_names, digests_in, named_in_reference
from promotions.formats.platforms import narrowed, platform
from promotions.formats.reading import (
    MISMATCH,
    DocumentRefused,
    a_list,
    a_name,
    an_object,
    at,
    check_name,
    maybe_name,
    maybe_time,
    member,
    objects,
    part,
)
from promotions.formats.scores import given_score, given_severity, highest, vector_score

FORMAT = "grype"

_WordsAndScores = tuple[Severity, float | None]
"""The word and the highest score of one source."""

_IGNORING: Final = ("only-fixed", "only-notfixed", "ignore-wontfix")
"""Settings that move matches to `ignoredMatches`. Where --by-cve was set, too, Grype lost them (anchore/grype#1545)."""
_END_OF_LIFE: Final = "distro-eol"
"""It is still scanned, as Trivy does with systems that it marks EOSL."""

_ALERTS: Final = {
    "distro-unknown": "packages of a distribution that Grype does not know",
    "distro-disabled": "packages of a distribution that Grype does not look at",
}
"""Types of alerts, with what each leaves out."""
_BUILT_IN: Final = "exact-indirect-match"
"""The match type of Grype's own ignore rules, for the headers of kernels: they stand in every configuration."""
_RULE: Final = "an ignore rule of Grype"
_OLD_SCORES: Final = ("cvssV2", "cvssV3")
"""The scores of Grype 0.7 in place of `cvss`."""


def recognises(document: dict[str, Any]) -> bool:
    descriptor = document.get("descriptor")
    return "matches" in document and isinstance(descriptor, dict) and descriptor.get("name") == "grype"


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """DocumentRefused for a report about another image, and where Grype scanned nothing or had no database."""
    named = _check_target(document, place, context)
    member(document, "matches", place)
    descriptor, inside = part(document, "descriptor", place), at(place, "descriptor")
    _check_database(part(descriptor, "db", inside), at(inside, "db"))
    _check_scanned(document, place)
    left_out = Omissions()
    _check_settings(document, part(descriptor, "configuration", inside), at(inside, "configuration"), left_out)
    _check_alerts(document, place, left_out)
    report = findings(_all_findings(document, place, left_out), left_out)
    generated = maybe_time(descriptor, "timestamp", inside)
    return ReadDocument(
        FORMAT, report, FORMAT, generated, summary(report, left_out), names_artifact=named.by_digest, about=named.part
    )


def _check_target(document: dict[str, Any], place: str, context: Context) -> Binding:
    source = at(place, "source")
    target = part(document, "source", place).get("target")
    if not isinstance(target, dict):  # a directory, by its name
        return UNBOUND
    inside = at(source, "target")
    manifest = digests_in(target.get("manifestDigest"))
    names = manifest.union(digests_in(*a_list(target.get("repoDigests") or [], at(inside, "repoDigests"))))
    names |= named_in_reference(target.get("userInput"))
    bound = check_names(context, names, source, also=digests_in(target.get("imageID")))
    if context.parts and manifest and manifest.isdisjoint({context.artifact, *context.parts}):
        raise DocumentRefused(
            f"Grype looked at the manifest {min(manifest)}, which the index of this image does not name.",
            at(inside, "manifestDigest"),
            code=MISMATCH,
        )
    return narrowed(context, bound, platform(target, inside, variant="architectureVariant"), inside)


def _check_database(database: dict[str, Any], place: str) -> None:
    """Its state stands in `db` itself, since version 6 of the database in `db.status`."""
    for state in (database, database.get("status")):
        if isinstance(state, dict) and (state.get("valid") is False or state.get("error") not in (None, "", False)):
            raise DocumentRefused(
                "Grype's database was not valid, so what it did not find says nothing: update it (grype db update) and"
                " scan again.",
                place,
            )


def _check_scanned(document: dict[str, Any], place: str) -> None:
    source = part(document, "source", place)
    if source.get("type") in _ONE_PACKAGE:
        raise DocumentRefused(
            "Grype looked at one package here, which says nothing of the others: scan the image or a directory.",
            at(place, "source"),
        )
    if document["matches"] or document.get("ignoredMatches"):
        return
    if source.get("type") in (None, "", "unknown") or not source.get("target"):
        raise DocumentRefused(
            "Grype found nothing, and the report does not say what it looked at: scan the image or a directory.",
            at(place, "source"),
        )


_ONE_PACKAGE: Final = ("purl", "cpe")


def _check_settings(document: dict[str, Any], configuration: dict[str, Any], place: str, left_out: Omissions) -> None:
    excluded = a_list(configuration.get("exclude") or [], at(place, "exclude"))
    if excluded:
        left_out.add("paths that Grype was told to skip", at(place, "exclude"), len(excluded))
    if document.get("ignoredMatches"):
        return
    for name in _IGNORING:
        if configuration.get(name):
            left_out.add(f"setting of Grype without the matches it ignored ({name})", at(place, name))
    if configuration.get("by-cve"):
        rules = [each for each, _ in objects(configuration, "ignore", place) if each.get("match-type") != _BUILT_IN]
        if rules:
            left_out.add("ignore rules of Grype without the matches they ignored", at(place, "ignore"), len(rules))


def _check_alerts(document: dict[str, Any], place: str, left_out: Omissions) -> None:
    """Packages in which Grype found nothing because it has no data about them."""
    for reason, where in left_out.readable(document, "alertsByPackage", place, _alerts):
        left_out.add(reason, where)


def _alerts(entry: dict[str, Any], place: str) -> list[tuple[str, str]]:
    """Of one package the reason of each kind of alert, once, and its place. DocumentRefused for an unknown kind."""
    found: dict[str, str] = {}
    for alert, where in objects(entry, "alerts", place):
        kind = maybe_name(alert, "type", where)
        if kind == _END_OF_LIFE:
            continue
        if kind not in _ALERTS:
            raise DocumentRefused("This type of alert is not known.", at(where, "type"))
        found.setdefault(_ALERTS[kind], where)
    return list(found.items())


def _all_findings(document: dict[str, Any], place: str, left_out: Omissions) -> Iterator[Finding]:
    read = partial(_findings, left_out)
    yield from left_out.readable(document, "matches", place, read)
    yield from left_out.readable(
        document, "ignoredMatches", place, lambda match, where: read(match, where, _ignored_by(match, where))
    )


def _ignored_by(match: dict[str, Any], place: str) -> str:
    return ", ".join(sorted({_rule_text(rule) for rule, _ in objects(match, "appliedIgnoreRules", place)})) or _RULE


def _rule_text(rule: dict[str, Any]) -> str:
    if rule.get("vex-status"):
        return "a VEX document given to Grype"
    if rule.get("fix-state") and not rule.get("vulnerability") and not rule.get("package"):
        return "a setting of Grype about fixes"
    return _RULE


def _findings(
    left_out: Omissions, match: dict[str, Any], place: str, suppressed: str | None = None
) -> Iterator[Finding]:
    where, inside = at(place, "vulnerability"), at(place, "artifact")
    found, artifact = an_object(match.get("vulnerability"), where), an_object(match.get("artifact"), inside)
    component = a_name(artifact, "name", inside)
    version = maybe_name(artifact, "version", inside)
    purl = any_purl(artifact.get("purl"))
    related: dict[str, list[_WordsAndScores]] = {}
    for name, said in left_out.readable(match, "relatedVulnerabilities", place, _named):
        related.setdefault(cased(name), []).append(said())
    word, score = _words_and_scores(found, where)
    fixed = if_readable(_fixed, found, "fix", where)

    def one(identity: tuple[str, list[str]]) -> Finding:
        mine = [each for name in (identity[0], *identity[1]) for each in related.get(name, ())]
        return finding(
            identity=identity,
            component=component,
            version=version,
            purl=purl,
            cvss=highest((score, *(each for _, each in mine))),
            word=word,
            other_words=[each for each, _ in mine],
            suppressed=suppressed,
            fixed_version=fixed,
        )

    return map(one, identities_of(found, where, related, left_out))


def _named(entry: dict[str, Any], place: str) -> list[tuple[str, Callable[[], _WordsAndScores]]]:
    """A vulnerability that is the same or in the same advisory. An odd name is left out; odd scores refuse the match,
    which would be smaller without them."""
    return [(a_name(entry, "id", place), partial(_words_and_scores, entry, place))]


def _words_and_scores(entry: dict[str, Any], place: str) -> _WordsAndScores:
    return given_severity(entry, "severity", place), highest(_scores(entry, place))


def _scores(entry: dict[str, Any], place: str) -> Iterator[float | None]:
    for rating, where in objects(entry, "cvss", place):
        yield given_score(part(rating, "metrics", where), "baseScore", at(where, "metrics"))
        yield vector_score(rating.get("vector"))
    for name in _OLD_SCORES:
        if name in entry:
            rating = part(entry, name, place)
            yield given_score(rating, "baseScore", at(place, name))
            yield vector_score(rating.get("vector"))


def _fixed(found: dict[str, Any], name: str, place: str) -> str | None:
    given = part(found, name, place).get("versions")
    if not given:
        return None
    inside = at(place, name)
    versions = {check_name(each, inside) for each in a_list(given, inside)}
    return ", ".join(sorted(each for each in versions if each)) or None
