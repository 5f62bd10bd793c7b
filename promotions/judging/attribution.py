"""The people whom an act counts for: machines launder nothing (domain.md §5)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.models import User


@dataclass(frozen=True, slots=True)
class Origin:
    """An act's account and the issuer of its token: a machine's acts count as its owners' and the issuer's (domain.md
    §5)."""

    user_id: UUID
    token_issuer_id: UUID | None
    at: datetime


def people_behind(by: Actor) -> list[dict[str, str]]:
    """`[{id, username}]`: the person, or the owners of the machine; and who issued the token that was used."""
    found = User.objects.filter(pk__in=persons_behind(by)).values_list("pk", "username")
    return sorted(
        ({"id": str(pk), "username": username} for pk, username in found),
        key=lambda each: (each["username"], each["id"]),
    )
