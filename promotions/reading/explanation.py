"""The facts that a gate read, and the person, time or event that can change its verdict, from a stored record: pure
(ui.md).

``GET /promotions/{id}/gates`` and the promotion page show the same. Each fact has a digest or an id: a person who
doubts a verdict can look up its facts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.gates import wording_of
from policies.gates.readings import UNREAD
from policies.gates.wording import fact
from policies.outcomes import blocks
from policies.overrides import may_be_overridden

Document = dict[str, Any]

MOST_FACTS: Final = 50


def facts_of(
    gate: Mapping[str, Any], gate_input: Mapping[str, Any], bundle: Mapping[str, Any] | None
) -> list[Document]:
    """The facts that the gate read: kind, title, and the digest or id of each. ``bundle``: the opened one, if any."""
    facts = list(wording_of(gate["type"]).facts_shown(gate, gate_input, bundle))
    lifted = gate["details"].get("override")
    if lifted is not None:
        facts.append(fact("override", f"{lifted['username']}, {lifted['ticket']}", id_=lifted["id"]))
    return facts[:MOST_FACTS]


def changes_of(
    gate: Mapping[str, Any],
    *,
    people: Sequence[Mapping[str, Any]],
    setting: Mapping[str, Any] | None,
    excepted: Sequence[str] = (),
    is_open: bool,
) -> list[Document]:
    """The things that can change the verdict while the promotion is open: by `time`, `people`, `override` or `events`.

    ``people`` could act now; ``setting`` is `override` of the gate in the policy; without one ``excepted`` are the
    usernames in the exceptions of every active freeze.
    """
    if not is_open:
        return []
    found = []
    wording = wording_of(gate["type"])
    is_blocking = blocks(gate["status"])
    if gate["nextChangeAt"] is not None:
        text = "It changes by itself." if is_blocking else wording.ends
        found.append(_change("time", text, at=gate["nextChangeAt"]))
    if people:
        names = ", ".join(each["displayName"] for each in people)
        found.append(_change("people", f"{names} may {wording.act or 'vote'}.", people=[each["id"] for each in people]))
    if is_blocking and may_be_overridden(gate["type"], setting, gate["reasonCodes"]):
        possible = gate["details"].get("overridePossible")
        who = excepted if setting is None else setting["by"]
        until = None if possible is None else possible["until"]
        if who:
            text = f"May be overridden for this promotion by {', '.join(who)}."
            found.append(_change("override", text, at=until))
    if is_blocking and UNREAD in gate["reasonCodes"]:
        found.append(_change("events", "The worker reads the documents again, which takes seconds."))
    elif is_blocking and wording.event and not people:
        found.append(_change("events", wording.event))
    return found


def _change(by: str, text: str, *, at: str | None = None, people: Sequence[str] = ()) -> Document:
    return {"by": by, "text": text, "at": at, "people": list(people)}
