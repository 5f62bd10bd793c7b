"""The people whom an upload counts for: machines launder nothing (domain.md §5)."""

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ServiceOwner, User


def people_behind(by: Actor) -> list[dict[str, str]]:
    """`[{id, username}]`: the person, or the owners of the machine; and who issued the token that was used."""
    wanted = set() if by.token_issuer_id is None else {by.token_issuer_id}
    if by.kind == "service":
        owners = ServiceOwner.objects.filter(service__user_id=by.account, ended_at=None)
        wanted.update(owners.values_list("owner_id", flat=True))
    else:
        wanted.add(by.account)
    found = User.objects.filter(pk__in=wanted).values_list("pk", "username")
    return sorted(
        ({"id": str(pk), "username": username} for pk, username in found),
        key=lambda each: (each["username"], each["id"]),
    )
