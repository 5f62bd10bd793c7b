"""The record of edits of environments with their editors, for excludePolicyEditor (domain.md §5)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from environments.models import EnvironmentEdit
from environments.ordering import other_steps
from stellapromote.accounts.actor import Actor


def record_edit(
    edited: Iterable[UUID],
    before: Mapping[UUID, int],
    after: Mapping[UUID, int],
    *,
    product: str = "",
    by: Actor,
    at: datetime,
) -> list[EnvironmentEdit]:
    """Keeps that the actor edited these environments, and those that are entered over other steps now. The event of the
    change records the edits.

    ``before`` and ``after``: the promotion order, or the path of ``product``. Automatic promotion that a request or
    rollback holds is no edit.
    """
    return EnvironmentEdit.objects.bulk_create(
        EnvironmentEdit(
            tenant_id=by.tenant,
            environment_id=each,
            by_id=by.account,
            with_token_issuer_id=by.token_issuer_id,
            at=at,
            product=product,
        )
        for each in sorted({*edited, *other_steps(before, after)})
    )
