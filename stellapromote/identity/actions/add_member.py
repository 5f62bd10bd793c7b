from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import carry_over
from stellapromote.accounts.models import Membership, User
from stellapromote.accounts.vouching import via
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import FieldError, Invalid
from stellapromote.identity import names, rules
from stellapromote.identity.account_events import record_account
from stellapromote.identity.actions.lock import lock_person
from stellapromote.identity.attribution import people_behind
from stellapromote.transactions import transactional


@dataclass(frozen=True, slots=True)
class AddedMember:
    """`password_set`: the given password is theirs now."""

    user: User
    membership: Membership
    is_new_member: bool
    password_set: bool


@transactional
def add_member(
    *, by: Actor, clock: Clock, username: str, display_name: str = "", password: str | None = None, reason: str = ""
) -> AddedMember:
    """Makes a person a member of the actor's tenant; they hold no role yet. Again for a member: nothing changes.

    Only a command makes accounts: a new one has no password unless one is given, and its person sets it by a one-time
    link. A password given for an account that has one is ignored: its person keeps theirs. An administrator takes back
    people who were members before; to them every other username is the same, whether it is of an account of another
    tenant or of none (docs/adr/0055). Raises Refused (403), Invalid (400) for a person who never was a member, a bad
    name, the displayed name of another account of the tenant, or a password that is too weak.
    """
    rules.check_manages_members(by)
    tenant_id = by.tenant
    rules.checked_username(username)
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    display_name = rules.checked_line("displayName", display_name or username, longest=rules.LONGEST_NAME)
    if by.auth_method != "command":
        _check_was_member(tenant_id, username)
    user = lock_person(username)
    is_new_person = user is None
    at = clock.now()
    if user is None:
        names.check_free("displayName", display_name, username=username, tenants=[tenant_id])
        user = _create_person(username, display_name, by=by, at=at)
    if user.pk == by.user_id:
        raise rules.OwnRights()
    behind = people_behind(by, user.pk)
    password_set = password is not None and not user.has_usable_password() and by.auth_method == "command"
    if password_set:
        _set_password(user, password or "", by=by, at=at)
    membership = Membership.objects.filter(tenant_id=tenant_id, user=user, ended_at=None).first()
    is_new_member = membership is None
    if membership is None:
        membership = Membership.objects.create(
            tenant_id=tenant_id,
            user=user,
            granted_at=at,
            granted_by_id=by.user_id,
            granted_behind=behind,
            granted_via=via(by),
            reason=reason,
        )
        held = carry_over(user.pk, tenant_id=tenant_id, at=at)
        record(
            by=by,
            at=at,
            action="member.added",
            resource="member",
            resource_id=user.id,
            after={"username": user.username, "displayName": user.display_name, "reason": reason},
            metadata={"isNewPerson": is_new_person},
            rows=[membership, *held],
        )
    return AddedMember(user, membership, is_new_member, password_set)


def _check_was_member(tenant_id: UUID, username: str) -> None:
    """Invalid unless the tenant knows the person from before. Nothing outside of the tenant is read, and the same
    statement answers for every other username, so that neither the answer nor its time reveals accounts."""
    if not Membership.objects.filter(tenant_id=tenant_id, user__username=username).exists():
        message = "No present or former member has this username: invite the person."
        raise rules.wrong("username", message, "unknown")


def _create_person(username: str, display_name: str, *, by: Actor, at: datetime) -> User:
    user = User(username=username, display_name=display_name, kind=User.Kind.PERSON, date_joined=at)
    user.set_unusable_password()
    # Two commands at one instant: the second waits here for the first and then finds its row.
    User.objects.bulk_create([user], ignore_conflicts=True)
    person = lock_person(username)
    assert person is not None
    if person.pk == user.pk:
        record_account("user.created", user, by=by, at=at)
    return person


def _set_password(user: User, password: str, *, by: Actor, at: datetime) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        message = " ".join(error.messages)
        raise Invalid(message, fields=[FieldError("password", message, "password")]) from error
    user.set_password(password)
    user.save(update_fields=["password"])
    record_account("user.password_set", user, by=by, at=at)
