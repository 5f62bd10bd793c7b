from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from promotions.reading.queries import awaiting_decision_by


def inbox(request: HttpRequest) -> dict[str, Any]:
    """Context processor: how many promotions wait for the signed-in person; asked only when a template shows it."""
    actor = getattr(request, "actor", None)
    if actor is None:
        return {}
    return {"approvals_waiting": SimpleLazyObject(lambda: awaiting_decision_by(actor).count())}
