"""Shared by the creation and the change of a freeze window: given times and names become stored values."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from environments.settings_schema import refuse
from policies.windows import BadTime, instant_of, zone
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.models import Membership
from stellapromote.errors import FieldError

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def edges(values: dict[str, Any], timezone: str, at: datetime) -> dict[str, datetime]:
    """`starts_at` and `ends_at` from the given `start` and `end`: instants, or wall-clock times in `timezone`.

    Invalid for an unknown zone, an unreadable time, a year out of range, and an end that has passed.
    """
    try:
        zone(timezone)
    except BadTime as error:
        refuse([FieldError("timezone", str(error), "invalid")])
    found, errors = {}, []
    for edge, name in _EDGES.items():
        if edge not in values:
            continue
        try:
            instant = instant_of(values[edge], timezone, edge)
        except BadTime as error:
            errors.append(FieldError(edge, str(error), "invalid"))
            continue
        if not FIRST_YEAR <= instant.year < LAST_YEAR:
            errors.append(FieldError(edge, f"This must be in the years {FIRST_YEAR} to {LAST_YEAR - 1}.", "invalid"))
        elif edge == "end" and instant <= at:
            errors.append(
                FieldError(edge, "This must be in the future: a window that is over has no effect.", "invalid")
            )
        found[name] = instant
    refuse(errors)
    return found


_EDGES: Final[dict[Literal["start", "end"], str]] = {"start": "starts_at", "end": "ends_at"}


def check_order(starts_at: datetime, ends_at: datetime) -> None:
    """Half-open [start, end): an empty or inverted window would hold nothing back. Invalid."""
    if ends_at <= starts_at:
        refuse([FieldError("end", "This must be after the start.", "invalid")])


def places_of(products: Sequence[str]) -> dict[str, str]:
    """Each product by its place in the call."""
    return {f"products[{index}]": slug for index, slug in enumerate(products)}


def usernames_of(tenant_id: UUID, people: Sequence[str]) -> list[str]:
    """The usernames of these people, sorted: the account id of a member stands for the username. Others stay as they
    are, for ``check_exceptions`` to refuse. One statement where any is an id."""
    ids = [each for each in people if _UUID.fullmatch(each)]
    if not ids:
        return list(people)
    members = Membership.objects.filter(tenant_id=tenant_id, ended_at=None, user_id__in=ids)
    named = {str(pk): username for pk, username in members.values_list("user_id", "user__username")}
    return sorted({named.get(each, each) for each in people})


def check_exceptions(by: Actor, usernames: Sequence[str], before: Collection[str] = ()) -> None:
    """Checks that exceptions name people of the tenant, and not the actor, also not by a machine of the actor: an
    exception lets its person override the freeze (domain.md §5, §6). Invalid names each wrong one."""
    people = Membership.objects.filter(tenant_id=by.tenant, ended_at=None, user__username__in=usernames)
    members = dict(people.values_list("user__username", "user_id"))
    behind = accounts_behind(by)
    own = {name for name in set(usernames) - set(before) if members.get(name) in behind}
    refuse(
        FieldError(f"exceptions[{index}]", f"{username} is not a member.", "unknown")
        if username not in members
        else FieldError(
            f"exceptions[{index}]", "You cannot except yourself from a freeze: ask another administrator.", "own"
        )
        for index, username in enumerate(usernames)
        if username not in members or username in own
    )


def excepted_by(by: Actor, usernames: Sequence[str], before: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The accounts that answer for each exception: those of ``before`` for an unchanged one, else those behind the
    actor."""
    now = sorted(str(each) for each in accounts_behind(by))
    return {username: before.get(username, now) for username in usernames}
