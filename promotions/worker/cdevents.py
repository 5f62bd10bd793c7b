"""Events in the form of CDEvents 0.6.0-draft, as far as it has them. `approval.*` is experimental there."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

_SPECIFICATION: Final = "0.6.0-draft"
_TYPES: Final[Mapping[str, str]] = {
    "promotion.completed": "service.deployed.0.3.0",
    "promotion.rolled_back": "service.rolledback.0.3.0",
    "environment.created": "environment.created.0.3.0",
    "environment.updated": "environment.modified.0.3.0",
    "environment.archived": "environment.deleted.0.3.0",
    "promotion.requested": "approval.created.0.1.0",
    "approval.granted": "approval.updated.0.1.0",
    "approval.denied": "approval.updated.0.1.0",
    "promotion.approved": "approval.closed.0.1.0",
    "promotion.rejected": "approval.closed.0.1.0",
    "promotion.cancelled": "approval.closed.0.1.0",
}
SENT: Final = tuple(_TYPES)
"""The events that CDEvents has."""
OF_ONE_PERSON: Final = ("approval.granted", "approval.denied")
"""Those that name a voter there: they are not sent of a promotion under a blind approval policy."""


def cdevent(name: str, event_id: str, data: Mapping[str, Any], *, origin: str, source: str) -> dict[str, Any] | None:
    """The event with its fields under ``customData``; None where CDEvents has none. ``origin``: of the pages."""
    if name not in _TYPES:
        return None
    kind = _TYPES[name]
    return {
        "context": {
            "specversion": _SPECIFICATION,
            "id": event_id,
            "source": source,
            "type": f"dev.cdevents.{kind}",
            "timestamp": data["at"],
        },
        "subject": _subject(kind.partition(".")[0], name, data, origin),
        "customData": dict(data),
        "customDataContentType": "application/json",
    }


def _subject(about: str, name: str, data: Mapping[str, Any], origin: str) -> dict[str, Any]:
    if about == "environment":
        return {"id": data["environmentId"], "content": {"name": data["name"] or ""}}
    if about == "service":
        # A release has several artifacts, and CDEvents takes one: the release stands for them.
        artifact = f"pkg:generic/{quote(data['product'], safe='')}@{quote(data['releaseName'], safe='')}"
        return {
            "id": data["product"],
            "content": {"environment": {"id": data["targetEnvironmentName"]}, "artifactId": artifact},
        }
    return {"id": data["promotionId"], "content": _approval(name, data, origin)}


def _approval(name: str, data: Mapping[str, Any], origin: str) -> dict[str, Any]:
    urls = {
        "approvalDetailsUrl": f"{origin}/promotions/{data['promotionId']}",
        "resourceTargetUrl": f"{origin}/releases/{data['releaseId']}",
    }
    actor = data.get("actor") or {}
    person = f"urn:stellapromote:user:{quote(actor.get('username') or 'system', safe='')}"
    if name == "promotion.requested":
        return {**urls, "requestor": person}
    refused = name in ("approval.denied", "promotion.rejected", "promotion.cancelled")
    decided = {**urls, "responder": person, "decision": "rejected" if refused else "approved"}
    if name in OF_ONE_PERSON:
        return decided
    status = "expired" if data.get("statusReason") == "expired" else name.partition(".")[2]
    return {**decided, "status": status}
