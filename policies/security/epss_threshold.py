"""epss-threshold: what is likely to be exploited within 30 days blocks (domain.md §6, docs/adr/0082)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.document_facts import EPSS_SCHEMA
from policies.security.findings import Record, worst
from policies.security.outcome import Outcome, View, and_others, in_words, remedy

NAME: Final = "epss-threshold"
SETTINGS: Final[dict[str, Any]] = {
    "threshold": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.1,
        "description": "The probability from which it blocks.",
    },
    "mode": {
        "type": "string",
        "enum": ["all", "any"],
        "default": "any",
        "description": "any: of one finding. all: of all findings together, that at least one is exploited.",
    },
    "requireReachable": {
        "type": "boolean",
        "default": False,
        "description": "Only findings that are reachable, or not known not to be.",
    },
}


class Scores(dict[str, float]):
    """The score of each name."""

    __slots__ = ()


def scores(blob: Mapping[str, Any]) -> Scores:
    """The scores of an EPSS blob; of a name scored twice the higher. ValueError or KeyError when it is none."""
    if blob["schema"] != EPSS_SCHEMA:
        raise ValueError("no EPSS scores")
    found = Scores()
    for entry in blob["scores"]:
        if not 0.0 <= entry["epss"] <= 1.0:
            raise ValueError("an EPSS score lies between 0 and 1")
        found[entry["cve"]] = max(entry["epss"], found.get(entry["cve"], 0.0))
    return found


def judge(view: View, settings: Mapping[str, Any]) -> Outcome:
    """Fails at the threshold. A finding that the feed does not score warns: EPSS knows CVEs, and not the newest."""
    if view.epss is None:
        if "epss" in view.stale:
            sentence = "the EPSS scores are too old: an admin must upload the newest EPSS feed"
            return Outcome("missing", ("EPSS_FEED_STALE",), sentence=sentence)
        sentence = "there are no EPSS scores: an admin must upload the EPSS feed"
        return Outcome("missing", ("EPSS_FEED_MISSING",), sentence=sentence)
    known = view.epss
    scored: list[tuple[float, Record]] = []
    unscored: list[Record] = []
    for _, record in view.ranked:
        if settings["requireReachable"] and record.reachable is False:
            continue
        found = None
        for cve in record.cves:
            score = known.get(cve)
            if score is not None and (found is None or score > found):
                found = score
        if found is None:
            unscored.append(record)
        else:
            scored.append((found, record))
    reached = highest = max((score for score, _ in scored), default=0.0)
    details: dict[str, Any] = {"scored": len(scored), "unscored": len(unscored), "highest": highest}
    blocking = [pair for pair in scored if pair[0] >= settings["threshold"]]
    if settings["mode"] == "all":
        reached = max(highest, _together([score for score, _ in scored]))
        details["together"] = round(reached, 6)
        blocking = scored if reached >= settings["threshold"] else []
    codes = ("EPSS_SCORE_MISSING",) if unscored else ()
    if blocking:
        score, first = min(blocking, key=lambda each: (-each[0], each[1].key))
        what = f"{in_words(first)} is exploited within 30 days with a probability of {_percent(score)}"
        if settings["mode"] == "all":
            what += f", one of all {len(blocking)} with {_percent(reached)}"
        others = and_others(len(blocking) - 1) if settings["mode"] == "any" else ""
        return Outcome(
            "fail",
            ("EPSS_ABOVE_THRESHOLD", *codes),
            details,
            tuple(record for _, record in blocking),
            f"{what} (the limit is {_percent(settings['threshold'])}){others}; {remedy(first)}",
        )
    if unscored:
        first = worst(unscored)
        sentence = f"{in_words(first)} has no EPSS score{and_others(len(unscored) - 1)}: look at it yourself"
        return Outcome("warn", codes, details, tuple(unscored), sentence)
    return Outcome("pass", details=details)


def _together(found: list[float]) -> float:
    """The probability that at least one is exploited, if each is so by itself. The order of the scores is fixed, so
    that the rounding is; one score more never makes it less."""
    none_of_them = 1.0
    for score in sorted(found):
        none_of_them *= 1.0 - score
    return 1.0 - none_of_them


def _percent(probability: float) -> str:
    return f"{probability * 100:.1f} %"
