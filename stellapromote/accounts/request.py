"""The attributes that the middleware sets on a request: the caller, the address, the id, and the trace."""

from django.http import HttpRequest

from stellapromote.accounts.actor import Actor


class Request(HttpRequest):
    """A request of Django's as the middleware leaves it. A type only: none is made."""

    actor: Actor | None
    client_address: str | None
    request_id: str
    traceparent: str | None
