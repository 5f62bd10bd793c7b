"""Accounts that may be of one person, asked outside of a gate input: for reasons of refusals, overrides and reviews
(docs/adr/0234)."""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from promotions.judging.held_accounts import FIRST, Act, Confirmed, Held, after_another, another_acted, excluded_with
from promotions.models import Confirmation, Override, Promotion, Vote
from stellapromote.accounts.held_accounts import held_in
from stellapromote.accounts.models import HeldAccount
from stellapromote.clock import rfc3339


def exclusions_now(promotion: Promotion, excluded: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Those of the snapshot, with the accounts that may now be of one of them. One statement."""
    return excluded_with(held_here(promotion.tenant_id), excluded, str(promotion.requested_by_id))


def held_here(tenant_id: UUID) -> dict[str, frozenset[str]]:
    """The holders of each held account of the tenant. One statement."""
    return {str(account): frozenset(map(str, holders)) for account, holders in held_in(tenant_id).items()}


def confirmed_since(promotion: Promotion) -> Confirmed:
    """The held accounts that another person confirmed since the request: what they did before is their holders' too.
    One statement."""
    rows = HeldAccount.objects.filter(tenant_id=promotion.tenant_id, confirmed_at__gte=promotion.requested_at)
    return [
        (str(account), frozenset(map(str, holders)), rfc3339(at))
        for account, holders, at in rows.values_list("user_id", "holders", "confirmed_at")
        if at is not None
    ]


def others_acted(promotion: Promotion, account: UUID, held: Held, confirmed: Confirmed) -> bool:
    """Whether another account decided here that is of the same person, or was then. Three statements."""
    return another_acted(held, _acts(promotion), confirmed, str(account))


def other_acted_first(promotion: Promotion, account: UUID) -> bool:
    """Whether another account, which may be of the same person, decided here before this one. Up to five
    statements."""
    held, confirmed = held_here(promotion.tenant_id), confirmed_since(promotion)
    return bool(held or confirmed) and str(account) in after_another(held, _acts(promotion), confirmed)


def _acts(promotion: Promotion) -> Iterator[Act]:
    approvals = Vote.objects.filter(promotion=promotion, ended_at=None, verdict=Vote.Verdict.APPROVE)
    confirmations = Confirmation.objects.filter(promotion=promotion, ended_at=None)
    for rows in (approvals, confirmations):
        for at, pk, voter_id in rows.values_list("at", "pk", "voter_id"):
            yield Act(rfc3339(at), str(pk), str(voter_id))
    for override in Override.objects.filter(promotion=promotion).only("pk", "actor_id"):
        yield Act(FIRST, str(override.pk), str(override.actor_id))


def override_act(override: Override) -> Act:
    """The act at its own instant."""
    return Act(rfc3339(override.recorded_at), str(override.pk), str(override.actor_id))
