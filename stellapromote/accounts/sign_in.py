from dataclasses import dataclass
from typing import Protocol, cast
from uuid import UUID

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the person of a session signed in. ``id`` stays when the session gets a new key (docs/adr/0235).

    ``second_factor``: they proved one in this session (docs/adr/0237).
    """

    id: UUID
    second_factor: bool = False


class _Session(Protocol):
    """The session engine of the settings, which stands above this app."""

    @property
    def sign_in(self) -> SignIn: ...


def sign_in_of(request: HttpRequest) -> SignIn:
    """The sign-in of the session, in which a person is signed in."""
    return cast("_Session", request.session).sign_in
