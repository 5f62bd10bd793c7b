from django.http import HttpRequest

from stellapromote.accounts.actor import Actor


def acting(request: HttpRequest) -> Actor:
    """The person in their active tenant; the middleware lets nobody else through to pages that need one."""
    actor = request.actor  # type: ignore[attr-defined]
    assert isinstance(actor, Actor)
    return actor
