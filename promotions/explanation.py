"""What a gate looked at, and who or what can change its verdict and when, out of a stored record: pure (ui.md).

``GET /promotions/{id}/gates`` and the promotion page show the same. Facts are named by digest or id, so that whoever
doubts a verdict finds what it rests on.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from policies.gates.readings import UNREAD
from policies.overrides import may_be_overridden

Document = dict[str, Any]

MOST_FACTS: Final = 50

_EVENTS: Final = {
    "preconditions": "Nothing changes this here: correct what is wrong and request the promotion again.",
    "freeze-window": "Whoever edits environments may lift the freeze.",
    "schedule": "A policy admin may publish other hours, for new promotions.",
    "evidence": "Upload what is missing, then take a new bundle of documents.",
    "security": "Upload a report or a VEX statement and take a new bundle of documents, or release a fixed component.",
    "policy": "The facts that the policy asks about, or a new version of it, for new promotions.",
    "dependency": "The environments and releases it waits for.",
    "manual": "Nobody but the confirmers named by the policy.",
    "approval": "Nobody but people who may vote.",
}


def facts_of(
    gate: Mapping[str, Any], gate_input: Mapping[str, Any], bundle: Mapping[str, Any] | None
) -> list[Document]:
    """What the gate looked at: kind, title, and the digest or id that names it. ``bundle``: the opened one, if any."""
    found: Iterable[Document] = _FACTS.get(gate["type"], _policy)(gate, gate_input, bundle)
    facts = list(found)
    lifted = gate["details"].get("override")
    if lifted is not None:
        facts.append(_fact("override", f"{lifted['username']}, {lifted['ticket']}", id_=lifted["id"]))
    return facts[:MOST_FACTS]


def changes_of(
    gate: Mapping[str, Any],
    *,
    people: Sequence[Mapping[str, Any]],
    setting: Mapping[str, Any] | None,
    excepted: Sequence[str] = (),
    is_open: bool,
) -> list[Document]:
    """Who or what can change the verdict while the promotion is open: by `time`, `people`, `override` or `events`.

    ``people`` could act now; ``setting`` is `override` of the gate in the policy; without one ``excepted`` are
    the usernames in the exceptions of every active freeze.
    """
    if not is_open:
        return []
    found = []
    if gate["nextChangeAt"] is not None:
        found.append(_change("time", "It changes by itself.", at=gate["nextChangeAt"]))
    if people:
        act = "confirm" if gate["type"] == "manual" else "vote"
        names = ", ".join(each["displayName"] for each in people)
        found.append(_change("people", f"{names} may {act}.", people=[each["id"] for each in people]))
    blocks = gate["status"] in ("pending", "fail")
    if blocks and may_be_overridden(gate["type"], setting, gate["reasonCodes"]):
        possible = gate["details"].get("overridePossible")
        who = excepted if setting is None else setting["by"]
        until = None if possible is None else possible["until"]
        if who:
            text = f"May be overridden for this promotion by {', '.join(who)}."
            found.append(_change("override", text, at=until))
    if blocks and UNREAD in gate["reasonCodes"]:
        found.append(_change("events", "The worker reads the documents again, which takes seconds."))
    elif blocks and gate["type"] in _EVENTS and not people:
        found.append(_change("events", _EVENTS[gate["type"]]))
    return found


def _change(by: str, text: str, *, at: str | None = None, people: Sequence[str] = ()) -> Document:
    return {"by": by, "text": text, "at": at, "people": list(people)}


def _fact(kind: str, title: str, *, digest: str | None = None, id_: str | None = None) -> Document:
    return {"kind": kind, "title": title, "digest": digest, "id": id_}


def _policy(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:  # noqa: ARG001
    policy = gate_input["requirements"]["promotionPolicy"]
    yield _fact("policy", f"{policy['name']} v{policy['version']}", digest=policy["digest"])


def _preconditions(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:  # noqa: ARG001
    release = gate_input["release"]
    yield _fact("release", release["name"], digest=release["manifestDigest"], id_=release["id"])
    yield _fact("subject", gate_input["target"]["name"], digest=gate_input["subject"]["digest"])


def _freezes(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:
    """Those in force as the last evaluation found them, which is newer than the record where only words were edited."""
    in_force = {window["id"]: window for window in gate["details"].get("windows", ())}
    for window in {**{each["id"]: each for each in gate_input["freezes"]}, **in_force}.values():
        yield _fact("freeze", f"{window['name']}: {window['reason']}", id_=window["id"])


def _evidence(
    gate: Mapping[str, Any], gate_input: Mapping[str, Any], bundle: Mapping[str, Any] | None
) -> Iterable[Document]:
    evidence = gate_input.get("evidence")
    if evidence is None:
        return
    yield _fact("bundle", "documents of the release", digest=evidence["bundleDigest"], id_=evidence["bundleId"])
    for each in (bundle or {}).get("documents", ()):
        yield _fact(each["kind"], f"{each['format']} by {each['producer']}", digest=each["digest"], id_=each.get("id"))
    if gate["type"] == "security":
        for kind in ("kev", "epss"):
            if (feed := evidence[kind]) is not None:
                yield _fact(kind, f"{kind.upper()} of {feed['publishedAt'][:10]}", digest=feed["digest"])
    for key in evidence["trustedKeys"]:
        yield _fact("trusted-key", key["name"], digest=key["keyId"])


def _policy_as_code(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:
    yield from _policy(gate, gate_input, None)
    details = gate["details"]
    if details.get("inputDigest") is not None:
        title = f"input of {details['engine']}" + (f", {details['revision']}" if details.get("revision") else "")
        yield _fact("policy-input", title, digest=details["inputDigest"])


def _dependencies(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:
    yield from _policy(gate, gate_input, None)
    for target in gate["details"].get("targets", ()):
        named = target.get("environment") or target.get("path") or target["type"]
        yield _fact("dependency", " ".join(each for each in (target.get("release"), named) if each))


def _confirmations(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:
    yield from _policy(gate, gate_input, None)
    for each in gate_input["confirmations"]:
        if each["gate"] == gate["name"]:
            yield _fact("confirmation", each["username"], id_=each["id"])


def _votes(gate: Mapping[str, Any], gate_input: Mapping[str, Any], _bundle: Any) -> Iterable[Document]:  # noqa: ARG001
    for policy in gate_input["requirements"]["approvalPolicies"]:
        yield _fact("approval-policy", f"{policy['name']} v{policy['version']}", digest=policy["digest"])
    for vote in gate_input["votes"]:
        yield _fact("vote", f"{vote['verdict']} by {vote['username']}", id_=vote["id"])


_FACTS: Final = {
    "preconditions": _preconditions,
    "freeze-window": _freezes,
    "evidence": _evidence,
    "security": _evidence,
    "policy": _policy_as_code,
    "dependency": _dependencies,
    "manual": _confirmations,
    "approval": _votes,
}
