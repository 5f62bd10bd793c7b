"""Accounts that may be of one person, asked outside of a gate input: for reasons of refusals, overrides and reviews
(docs/adr/0234)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import UUID

from promotions.judging.held_accounts import FIRST, Act, after_another, excluded_with
from promotions.models import Confirmation, Override, Promotion, Vote
from stellapromote.accounts.held_accounts import held_in
from stellapromote.clock import rfc3339


def exclusions_now(promotion: Promotion, excluded: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Those of the snapshot, with the accounts that may now be of one of them. One statement."""
    return excluded_with(held_here(promotion.tenant_id), excluded, str(promotion.requested_by_id))


def held_here(tenant_id: UUID) -> dict[str, frozenset[str]]:
    """The holders of each held account of the tenant. One statement."""
    return {str(account): frozenset(map(str, holders)) for account, holders in held_in(tenant_id).items()}


def others_acted(promotion: Promotion, others: Collection[str]) -> bool:
    """Whether one of these accounts decided here. Three statements, none without accounts."""
    return bool(others) and any(act.by in others for act in _acts(promotion))


def other_acted_first(promotion: Promotion, account: UUID) -> bool:
    """Whether another account, which may be of the same person, decided here before this one. Up to four
    statements."""
    held = held_here(promotion.tenant_id)
    return bool(held) and str(account) in after_another(held, _acts(promotion))


def _acts(promotion: Promotion) -> Iterator[Act]:
    approvals = Vote.objects.filter(promotion=promotion, ended_at=None, verdict=Vote.Verdict.APPROVE)
    confirmations = Confirmation.objects.filter(promotion=promotion, ended_at=None)
    for rows in (approvals, confirmations):
        for at, pk, voter_id in rows.values_list("at", "pk", "voter_id"):
            yield Act(rfc3339(at), str(pk), str(voter_id))
    for pk, actor_id in Override.objects.filter(promotion=promotion).values_list("pk", "actor_id"):
        yield Act(FIRST, str(pk), str(actor_id))
