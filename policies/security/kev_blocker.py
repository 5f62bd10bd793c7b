"""kev-blocker: what is known to be exploited blocks, some days after CISA listed it (domain.md §6)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from policies.document_facts import KEV_SCHEMA
from policies.security.findings import Record
from policies.security.outcome import Outcome, View, and_others, in_words, remedy
from stellapromote.clock import parse_rfc3339, rfc3339

NAME: Final = "kev-blocker"
SETTINGS: Final[dict[str, Any]] = {
    "graceDays": {
        "type": "integer",
        "minimum": 0,
        "maximum": 3650,
        "default": 0,
        "description": "Days from the listing until it blocks.",
    },
    "warnDays": {
        "type": "integer",
        "minimum": 0,
        "maximum": 3650,
        "default": 7,
        "description": "Days before it blocks in which it warns.",
    },
}


class Listing(dict[str, str]):
    """The day on which each name was listed."""

    __slots__ = ()


def listing(blob: Mapping[str, Any]) -> Listing:
    """The days of a KEV blob; of a name listed twice the earlier one. ValueError or KeyError when it is none."""
    if blob["schema"] != KEV_SCHEMA:
        raise ValueError("no KEV entries")
    found = Listing()
    for entry in blob["entries"]:
        found[entry["cve"]] = min(entry["dateAdded"], found.get(entry["cve"], entry["dateAdded"]))
    return found


def judge(view: View, settings: Mapping[str, Any]) -> Outcome:
    """Fails for a listed finding from the day it is due; warns before; the next such moment is its next change."""
    if view.kev is None:
        if "kev" in view.stale:
            sentence = "the catalogue of exploited vulnerabilities is too old: an admin must upload the newest KEV feed"
            return Outcome("missing", ("KEV_FEED_STALE",), sentence=sentence)
        sentence = "there is no catalogue of exploited vulnerabilities: an admin must upload the KEV feed"
        return Outcome("missing", ("KEV_FEED_MISSING",), sentence=sentence)
    if not view.kev:
        return Outcome("pass", details={"listed": 0})
    listed: list[tuple[str, Record]] = []
    for _, record in view.ranked:
        if not view.kev.keys().isdisjoint(record.cves):
            listed.append((min(view.kev[cve] for cve in record.cves if cve in view.kev), record))
    due: list[tuple[str, str, Record]] = []
    soon: list[tuple[str, str, Record]] = []
    changes: list[str] = []
    for day, record in listed:
        due_at = _days_after(day, settings["graceDays"])
        if due_at <= view.instant:
            due.append((due_at, day, record))
            continue
        warns_at = _days_after(day, settings["graceDays"] - settings["warnDays"])
        if warns_at <= view.instant:
            soon.append((due_at, day, record))
            changes.append(due_at)
        else:
            changes.append(warns_at)
    details = {"listed": len(listed), "due": len(due), "dueSoon": len(soon), "nextDueAt": min(changes, default=None)}
    if not due and not soon:
        return Outcome("pass", details=details, next_change_at=min(changes, default=None))
    due_at, day, first = min(due or soon, key=lambda each: (each[0], each[2].order))
    what = f"{in_words(first)} is exploited: listed in CISA's KEV catalogue on {day}"
    others = and_others(len(due or soon) - 1)
    codes = (*(("KEV_LISTED",) if due else ()), *(("KEV_DUE_SOON",) if soon else ()))
    return Outcome(
        "fail" if due else "warn",
        codes,
        details,
        tuple(record for _, _, record in due or soon),
        f"{what}, {'due since' if due else 'blocks from'} {due_at[:10]}{others}; {remedy(first)}",
        min(changes, default=None),
    )


def _days_after(day: str, days: int) -> str:
    """Midnight UTC that many days after a day. ValueError for what is no day, OverflowError beyond the calendar."""
    return rfc3339(parse_rfc3339(f"{day}T00:00:00.000Z") + timedelta(days=days))
