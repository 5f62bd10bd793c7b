"""The reading of a policy engine's answer: only a real `true` allows (docs/adr/0061, 0155). Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stellapromote.plain_text import problem_in_line

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,62}")
_OURS: Final = ("GATE_", "OVERRID")
"""Prefixes of the product's own codes. A policy's code may not begin with one: it would look like ours."""

_JOINER: Final = re.compile("[\u200c\u200d]")
"""No answer ever held one: what a recorded answer means must not change (domain.md §7)."""

MOST_REASONS: Final = 100
LONGEST_MESSAGE: Final = 500


DENIED: Final = "POLICY_DENIED"
"""The code of a denial that has none of its own."""


class NotAnAnswer(ValueError):
    """The engine said something that is no answer; the text says what, for the policy's author."""


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """The form of an answer in one version of the gate: the lists beside `allow`, and whether a deny may be a bare
    text."""

    lists: tuple[str, ...]
    bare_deny: bool


YES_OR_NO: Final = AnswerWords(("deny", "warn"), bare_deny=False)
MAY_WAIT: Final = AnswerWords(("deny", "pending", "warn"), bare_deny=True)


def words_of(version: int) -> AnswerWords:
    """The words of a kindVersion of the policy gate."""
    return MAY_WAIT if version >= 3 else YES_OR_NO


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """`allows` is true only for a real true without any deny or pending. `reasons` are sorted and unique, by the name
    of their list."""

    allows: bool
    reasons: Mapping[str, tuple[Reason, ...]]

    @property
    def deny(self) -> tuple[Reason, ...]:
        return self.reasons.get("deny", ())

    @property
    def pending(self) -> tuple[Reason, ...]:
        return self.reasons.get("pending", ())

    @property
    def warn(self) -> tuple[Reason, ...]:
        return self.reasons.get("warn", ())


def read_answer(result: object, words: AnswerWords) -> EngineVerdict:
    """`true`, `false`, or `{allow}` with any of the lists of `words`, each `[{code, message}]`; else NotAnAnswer."""
    if isinstance(result, bool):
        return EngineVerdict(result, dict.fromkeys(words.lists, ()))
    if not isinstance(result, Mapping):
        raise NotAnAnswer(f"answers with {_kind(result)}, not with true, false or an object")
    strange = sorted(str(name) for name in result.keys() - {"allow", *words.lists})
    if strange:
        raise NotAnAnswer(f"answers with a field {strange[0][:50]!r} that has no meaning")
    allow = result.get("allow")
    if not isinstance(allow, bool):
        raise NotAnAnswer("answers with an allow that is neither true nor false")
    reasons = {
        name: _reasons(result.get(name, []), name, bare=words.bare_deny and name == "deny") for name in words.lists
    }
    return EngineVerdict(allow and not reasons["deny"] and not reasons.get("pending"), reasons)


def normalized(result: Any, words: AnswerWords) -> Any:
    """The same answer with its reasons in order: engines promise none, and a replay compares. Others unchanged."""
    if not isinstance(result, Mapping):
        return result
    ordered = dict(result)
    for name in words.lists:
        reasons = ordered.get(name)
        if not isinstance(reasons, list):
            continue
        if all(isinstance(each, Mapping) for each in reasons):
            ordered[name] = sorted(reasons, key=lambda each: (str(each.get("code")), str(each.get("message"))))
        elif words.bare_deny and all(isinstance(each, str) for each in reasons):
            ordered[name] = sorted(reasons)
    return ordered


def _reasons(value: object, name: str, *, bare: bool) -> tuple[Reason, ...]:
    if not isinstance(value, list):
        raise NotAnAnswer(f"answers with a {name} that is no list")
    if len(value) > MOST_REASONS:
        raise NotAnAnswer(f"answers with {len(value)} entries in {name}; {MOST_REASONS} are the most")
    if bare and value and all(isinstance(each, str) for each in value):
        value = [{"code": DENIED, "message": each} for each in value]
    return tuple(sorted({_reason(each, name) for each in value}))


def _reason(value: object, name: str) -> Reason:
    if not isinstance(value, Mapping) or set(value) != {"code", "message"}:
        raise NotAnAnswer(f"answers with an entry in {name} that is not {{code, message}}")
    code, message = value["code"], value["message"]
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise NotAnAnswer(f"answers with a code in {name} that is not UPPER_SNAKE")
    if code.startswith(_OURS):
        raise NotAnAnswer(f"answers with {code}, which only the product may say")
    if not isinstance(message, str) or not message.strip() or len(message) > LONGEST_MESSAGE:
        raise NotAnAnswer(f"answers with a message in {name} that has not from 1 to {LONGEST_MESSAGE} characters")
    if problem_in_line(message) or _JOINER.search(message):
        raise NotAnAnswer(f"answers with a message in {name} that is not one plain line")
    return Reason(code, message)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return {str: "a text", list: "a list", int: "a number", float: "a number"}.get(type(value), "something else")
