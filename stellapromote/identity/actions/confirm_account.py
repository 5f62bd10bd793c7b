from uuid import UUID

from django.db.models import Q

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import accounts_alike
from stellapromote.accounts.models import ApiToken, HeldAccount, User
from stellapromote.accounts.second_factor import check_second_factor
from stellapromote.accounts.vouching import vouched_for
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import changed, lock_membership
from stellapromote.transactions import transactional


@transactional
def confirm_account(*, by: Actor, clock: Clock, user_id: UUID) -> list[HeldAccount]:
    """Says that the right person has the account of a member, which may be in other hands (docs/adr/0234).

    By another person than these, under a role that is vouched for; or on the command line. It holds in this tenant. An
    account that is nobody else's stays as it is. The people who had the account may know tokens of it, and those that
    it issued for services: these are revoked. A link for a new password that was shown is over.

    Raises Refused (403), OwnRights (403), HeldByYou (403), NotVouchedFor (403), SecondFactorRequired (403), Http404.
    """
    rules.check_can_confirm(by, user_id)
    tenant_id = by.tenant
    people = {user_id} if by.user_id is None else {user_id, by.user_id}
    memberships = {each: lock_membership(tenant_id, each) for each in sorted(people)}
    User.objects.select_for_update(no_key=True).get(pk=user_id)  # a shown link was used before, or never is
    rows = HeldAccount.objects.select_for_update(no_key=True).filter(
        tenant_id=tenant_id, user_id=user_id, confirmed_at=None
    )
    held = list(rows.order_by("pk"))
    if not held:
        return []
    under = None
    if by.user_id is not None:
        under = vouched_for(tenant_id, by.user_id)
        others = accounts_alike(tenant_id, [user_id])
        rules.check_can_confirm_account(by, others, is_vouched_for=under is not None)
    at = max(clock.now(), *(each.held_at for each in held))
    check_second_factor(by, at)
    for each in held:
        each.confirmed_at, each.confirmed_by_id, each.confirmed_under = at, by.user_id, under
        each.save(update_fields=["confirmed_at", "confirmed_by", "confirmed_under"])
    tokens = ApiToken.objects.filter(Q(user_id=user_id) | Q(issuer_id=user_id), tenant_id=tenant_id, revoked_at=None)
    revoked = changed(tokens, revoked_at=at, revoked_by_id=by.user_id)
    record(
        by=by,
        at=at,
        action="member.account_confirmed",
        resource="member",
        resource_id=user_id,
        after={"username": memberships[user_id].user.username},
        metadata={"revokedTokens": len(revoked)},
        rows=[*held, *revoked],
    )
    return held
