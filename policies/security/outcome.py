"""The input and the result of a rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from policies.security.findings import Record, severity_words

LONGEST_NAME: Final = 100

RuleStatus = Literal["pass", "warn", "missing", "fail"]
"""missing: a fact is not there; the gate's onError says what that makes."""


@dataclass(frozen=True, slots=True)
class View:
    """All findings that no VEX statement lifts, each after the rank of the severity that counts, and the other facts of
    rules.

    `kev`: the day on which each name was listed, None without a feed; `epss`: the score of each name likewise. `stale`:
    the feeds that are there but too old, and so None. `baseline`: the known findings of the release now in the target,
    as (name, package); None: nothing is known of it.
    """

    instant: str
    environment: str
    ranked: Sequence[tuple[int, Record]]
    kev: Mapping[str, str] | None
    epss: Mapping[str, float] | None
    stale: frozenset[str]
    first_release: bool
    baseline: Callable[[], frozenset[tuple[str, str]] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one rule. `findings` are those that make its status; `sentence` has neither capital nor full
    stop."""

    status: RuleStatus
    codes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Record, ...] = ()
    sentence: str = ""
    next_change_at: str | None = None


def clipped(text: str) -> str:
    """A name that a report gives, cut to what belongs in a sentence and in every record."""
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def in_words(record: Record) -> str:
    """`CVE-2019-14697 in musl 1.1.22-r2 (critical, CVSS 9.8)`."""
    version = f" {clipped(record.version)}" if record.version else ""
    return f"{clipped(record.key[0])} in {clipped(record.component)}{version} ({severity_words(record)})"


def remedy(record: Record) -> str:
    """The way to repair one finding, beside a statement that it does not apply."""
    if record.fixed_version is None:
        return f"{clipped(record.component)} has no fixed version yet"
    return f"upgrade {clipped(record.component)} to {clipped(record.fixed_version)}"


def and_others(number: int) -> str:
    """` and 3 more`, or nothing."""
    return f" and {number} more" if number else ""
