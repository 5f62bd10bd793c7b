"""What the middleware writes on a request: who calls, from where, and under which id."""

from django.http import HttpRequest

from stellapromote.accounts.actor import Actor


class Request(HttpRequest):
    """A request of Django's as the middleware leaves it. A type only: none is made."""

    actor: Actor | None
    client_address: str | None
    request_id: str
