from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.models import Invitation, Membership, Team
from stellapromote.accounts.scopes import LIMITED_ROLES, ROLES, stored_role
from stellapromote.accounts.vouching import authority_of
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, Refused
from stellapromote.identity import names, rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.invitations import LIFE, invitation_link, is_mailed, new_link
from stellapromote.identity.link_rates import count_link_by
from stellapromote.identity.messages import queue_invitation
from stellapromote.identity.products import check_can_be_limited, checked_products
from stellapromote.transactions import transactional


class AlreadyMember(Conflict):
    """A member gets roles and teams on their own page."""

    code = "RES_DUPLICATE"
    about = "username"

    def __init__(self, user_id: UUID) -> None:
        super().__init__("They are a member already: give them the roles there.", details={"id": str(user_id)})


class AlreadyInvited(Conflict):
    """One invitation at a time for a username."""

    code = "RES_DUPLICATE"
    about = "username"

    def __init__(self, invitation: Invitation) -> None:
        super().__init__(
            "There is an invitation for this username: send it again, or withdraw it first.",
            details={"id": str(invitation.pk)},
        )


@dataclass(frozen=True, slots=True)
class Invited:
    """``link`` is shown once and kept nowhere; None where it goes by e-mail."""

    invitation: Invitation
    link: str | None = field(default=None, repr=False)


def invite(
    *,
    by: Actor,
    clock: Clock,
    username: str,
    roles: Iterable[str],
    products: Iterable[str] = (),
    teams: Iterable[str] = (),
    email: str = "",
    display_name: str = "",
) -> Invited:
    """Invites a person to become a member with these roles, in these teams (access.md, People). With ``products`` the
    roles operator and approver count for these alone.

    The same for a username that has an account and for one that has none: no account outside of the tenant is read
    (docs/adr/0233). Raises Refused (403), Invalid (400), AlreadyMember (409), AlreadyInvited (409), TooManyLinks (429).
    """
    rules.check_can_invite(by)
    rules.checked_username(username)
    if username == by.username:
        raise rules.OwnRights()
    if email or is_mailed():
        email = rules.checked_email("email", email)
    display_name = rules.checked_line("displayName", display_name or username, longest=rules.LONGEST_NAME)
    chosen = sorted(set(roles))
    if not chosen:
        raise rules.wrong("roles", "Choose at least one role.", "required")
    for role in chosen:
        if role not in ROLES:
            raise rules.wrong("roles", f"{role!r} is no role. Roles: {', '.join(ROLES)}.", "unknown")
    check_can_be_limited(chosen, limit := list(products))
    count_link_by(by.account, email, now=clock.now())
    return _invite(by, clock, username, email, display_name, chosen, limit, sorted(set(teams)))


@transactional
def _invite(
    by: Actor,
    clock: Clock,
    username: str,
    email: str,
    display_name: str,
    roles: list[str],
    products: list[str],
    teams: list[str],
) -> Invited:
    tenant_id = by.tenant
    lock_membership(tenant_id, by.account)
    under = authority_of(by)
    if under is None:
        raise Refused("Your role that administers has just ended.", code="PERM_DENIED")
    _end_expired(tenant_id, username, by=by, at=clock.now())
    found = Team.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, slug__in=teams).order_by("slug")
    ids = {team.slug: team.pk for team in found}
    for slug in teams:
        if slug not in ids:
            raise rules.wrong("teams", f"There is no team {slug}: correct the name, or create it first.", "unknown")
    products = checked_products(tenant_id, products)
    names.check_free("displayName", display_name, username=username, tenants=[tenant_id])
    member = Membership.objects.filter(tenant_id=tenant_id, user__username=username, ended_at=None).first()
    if member is not None:
        raise AlreadyMember(member.user_id)
    meanwhile = Invitation.objects.filter(tenant_id=tenant_id, username=username, ended_at=None).first()
    if meanwhile is not None:  # the tenant's row is locked by now, so there will be no other
        raise AlreadyInvited(meanwhile)
    at = clock.now()
    invitation = Invitation(
        tenant_id=tenant_id,
        username=username,
        email=email,
        display_name=display_name,
        roles=[stored_role(role, products if role in LIMITED_ROLES else ()) for role in roles],
        products=products,
        teams=[ids[slug] for slug in teams],
        created_at=at,
        created_by_id=by.account,
        created_behind=sorted(persons_behind(by) - {by.account}),
        granted_under_id=under,
        expires_at=at + LIFE,
    )
    link = None
    if not is_mailed():
        secret, invitation.link_digest = new_link()
        invitation.shown_to = sorted(persons_behind(by))
        link = invitation_link(secret)
    invitation.save(force_insert=True)
    record(
        by=by,
        at=at,
        action="invitation.created",
        resource="invitation",
        resource_id=invitation.pk,
        after={
            "username": username,
            "email": email,
            "displayName": display_name,
            "roles": roles,
            **({"products": products} if products else {}),
            "teams": teams,
        },
        metadata={"shown": link is not None},
        rows=[invitation],
    )
    if link is None:
        queue_invitation(invitation, at=at)
    return Invited(invitation, link)


def _end_expired(tenant_id: UUID, username: str, *, by: Actor, at: datetime) -> None:
    """Ends an invitation for the username that is too old. AlreadyInvited where it is not."""
    rows = Invitation.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, ended_at=None)
    earlier = rows.filter(username=username).first()
    if earlier is None:
        return
    if at < earlier.expires_at:
        raise AlreadyInvited(earlier)
    at = max(at, earlier.created_at)
    earlier.ended_at, earlier.ended_as = at, Invitation.End.EXPIRED
    earlier.save(update_fields=["ended_at", "ended_as"])
    record(
        by=by,
        at=at,
        action="invitation.expired",
        resource="invitation",
        resource_id=earlier.pk,
        before={"username": username},
        rows=[earlier],
    )
