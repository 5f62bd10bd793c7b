"""The details of a security gate's verdict, which are data, and the sentence made from them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from policies.document_facts import FeedFact
from policies.outcomes import Status
from policies.security import severities
from policies.security.bundles import Documents, Union
from policies.security.findings import Record, worst_first
from policies.security.incomplete import total
from policies.security.outcome import Outcome, View, clipped
from policies.security.trust import Trust
from stellapromote.signing.canonical_json import digest_bytes

MOST_LISTED: Final = 50
"""The most findings listed in details; a number and a digest stand for the rest (docs/security-gate.md)."""


def finding_details(deciding: Mapping[str, Outcome], view: View | None) -> dict[str, Any]:
    """The findings that make the verdict: by id, as an override names them, and the worst of them with what is known.

    Beyond the first ids stands one entry with the digest of all, so that other findings are never the same list.
    """
    by_key: dict[tuple[str, str], Record] = {}
    for outcome in deciding.values():
        by_key.update({record.key: record for record in outcome.findings})
    ids = sorted(record.id for record in by_key.values())
    listed = ids[:MOST_LISTED]
    if len(ids) > MOST_LISTED:
        listed.append(f"and {len(ids) - MOST_LISTED} more ({_digest(ids)})")
    worst = worst_first(by_key.values(), MOST_LISTED)
    keys = {name: {record.key for record in outcome.findings} for name, outcome in deciding.items()} if worst else {}
    return {
        "findings": listed,
        "findingsCount": len(ids),
        "worst": [
            _described(record, view, [name for name, those in keys.items() if record.key in those])
            for record in (worst if view is not None else ())
        ],
    }


def _digest(ids: list[str]) -> str:
    return digest_bytes(orjson.dumps(ids))  # of strings alone this is RFC 8785, in a tenth of the time


def _described(record: Record, view: View | None, rules: Sequence[str]) -> dict[str, Any]:
    kev = {} if view is None or view.kev is None else view.kev
    epss = {} if view is None or view.epss is None else view.epss
    return {
        "id": record.id,
        "vulnerability": clipped(record.key[0]),
        "component": clipped(record.component),
        "version": record.version and clipped(record.version),
        "severity": "unknown" if record.rank < 0 else severities.BANDS[record.rank],
        "cvss": record.cvss,
        "epss": max((epss[name] for name in record.cves if name in epss), default=None),
        "listedOn": min((kev[name] for name in record.cves if name in kev), default=None),
        "reachable": record.reachable,
        "fixedVersion": record.fixed_version and clipped(record.fixed_version),
        **({} if record.suppressed is None else {"suppressed": clipped(record.suppressed)}),
        "rules": list(rules),
    }


def finding_counts(view: View, union: Union) -> dict[str, int]:
    """The number of findings of each severity; `unknown` are those without a severity in any report. `suppressed` are
    those that scanners left out by a rule, whether they count or not."""
    ranks = Counter([rank for rank, _ in view.ranked])
    return {
        **{band: ranks[rank] for rank, band in enumerate(severities.BANDS)},
        "unknown": len([record for _, record in view.ranked if record.rank < 0]),
        "total": len(view.ranked),
        "suppressed": len(union.suppressed),
    }


def suppressed_details(union: Union, *, accepted: bool) -> dict[str, Any]:
    """The findings that scanners left out, with the rule of each; `accepted`: they do not count."""
    found = sorted(union.suppressed.values(), key=lambda each: each.key)
    return {
        "suppressed": [{"id": each.id, "by": clipped(each.suppressed or "")} for each in found[:MOST_LISTED]],
        "suppressedCount": len(found),
        "suppressedAccepted": accepted,
    }


def lifted_details(union: Union) -> dict[str, Any]:
    """The findings that VEX lifts, with the document of each."""
    found = sorted(union.lifted.values(), key=lambda each: each[0].key)
    return {
        "lifted": [
            {
                "id": record.id,
                "status": by.status,
                "justification": by.justification and clipped(by.justification),
                "document": by.document,
            }
            for record, by in found[:MOST_LISTED]
        ],
        "liftedCount": len(found),
    }


def document_details(read: Documents, trust: Trust) -> list[dict[str, Any]]:
    """The reports and statements that were read, those about a platform with `about`, and those of which something was
    left out with how many things that is."""
    found = [(document, part.left_out) for part_of in (read.vex, read.reports) for document, part in part_of]
    return [
        {
            "artifact": each["artifactDigest"],
            "kind": each["kind"],
            "digest": each["digest"],
            "producer": each["producer"],
            "trusted": trust.holds_for(each),
            **({"about": each["about"]} if "about" in each else {}),
            **({"leftOut": total(left_out)} if left_out else {}),
        }
        for each, left_out in sorted(
            found, key=lambda each: (each[0]["artifactDigest"], each[0]["kind"], each[0]["digest"])
        )[:MOST_LISTED]
    ]


def feed_details(feed: FeedFact | None) -> dict[str, str] | None:
    return None if feed is None else {"digest": feed["digest"], "publishedAt": feed["publishedAt"]}


def verdict_message(status: Status, deciding: Mapping[str, Outcome], details: Mapping[str, Any]) -> str:
    ignored = details["suppressedCount"] if details.get("suppressedAccepted") else 0
    accepted = f"; {_accepted(ignored)}" if ignored else ""
    if status == "pass":
        found, lifted = details["counts"]["total"], details["liftedCount"]
        how_many = "No findings" if not found else "1 finding" if found == 1 else f"{found} findings"
        more = f"; VEX statements lift {lifted}" if lifted else ""
        return f"{how_many}, and no rule is broken{more}{accepted}."
    names = list(deciding)
    sentence = deciding[names[0]].sentence
    if status == "fail" and deciding[names[0]].findings:
        sentence += ", or state in a trusted VEX document why it does not apply; then request again"
    also = f" (also {', '.join(names[1:])})" if names[1:] else ""
    return f"{sentence[0].upper()}{sentence[1:]}{also}{accepted if status == 'warn' else ''}."


def _accepted(number: int) -> str:
    if number == 1:
        return "1 finding that the scanner was told to ignore is accepted"
    return f"{number} findings that the scanner was told to ignore are accepted"
