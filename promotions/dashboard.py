"""The pipeline board: what runs where, what moves, what is blocked, and four numbers over thirty days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from environments.models import Environment
from policies.models import WeakeningEdit
from promotions.environment_state import environment_states
from promotions.models import Override, Promotion
from promotions.queries import awaiting_decision_by, promotions_of
from promotions.states import OPEN, Status
from stellapromote.accounts.actor import Actor

Context = dict[str, Any]

WINDOW = timedelta(days=30)
RECENT = timedelta(hours=24)
LISTED = 10

_DECIDED = [Status.APPROVED, Status.REJECTED, Status.DEPLOYED, Status.FAILED, Status.ROLLED_BACK]

# One pass over what was requested in the window, bounded by the first number in it.
_NUMBERS = """
SELECT date_trunc('week', p.requested_at AT TIME ZONE 'UTC')::date AS week,
       count(*) FILTER (WHERE p.completed_at IS NOT NULL AND p.started_at IS NOT NULL),
       avg(extract(epoch FROM p.completed_at - p.requested_at)::float8) FILTER (WHERE p.status = 'deployed'),
       avg(extract(epoch FROM p.approved_at - p.requested_at)::float8) FILTER (WHERE p.approved_at IS NOT NULL),
       count(*) FILTER (WHERE p.status IN ('rejected', 'failed', 'rolled_back')),
       count(*) FILTER (WHERE p.status IN ('rejected', 'failed', 'rolled_back', 'deployed'))
FROM promotions_promotion p
WHERE p.tenant_id = %(tenant)s AND p.number > %(after)s AND p.requested_at >= %(since)s
GROUP BY week ORDER BY week
"""

MOST_COUNTED = 50_000


@dataclass(frozen=True, slots=True)
class Week:
    """One row of the numbers: durations in seconds, ``bad_share`` in percent of what ended."""

    begins: Any
    deployed: int
    lead_time: float | None
    approval_wait: float | None
    bad_share: int | None


def board(by: Actor, at: datetime) -> Context:
    """Everything the board shows. A constant number of statements, stated in a test."""
    environments = list(
        Environment.objects.filter(tenant_id=by.tenant, archived_at=None)
        .prefetch_related("approval_policy_links")
        .order_by("order_index")
    )
    states = environment_states(by.tenant, [environment.pk for environment in environments], at)
    opened = list(promotions_of(by.tenant).filter(status__in=sorted(OPEN)).order_by("number")[: LISTED * 5])
    columns = [_column(environment, states[environment.pk], opened) for environment in environments]
    return {
        "columns": columns,
        "products": _products(columns),
        "inbox": awaiting_decision_by(by).count(),
        "in_flight": list(promotions_of(by.tenant).filter(status=Status.DEPLOYING)[:LISTED]),
        "blocked": [promotion for promotion in opened if promotion.blocked_by][:LISTED],
        "ready": [promotion for promotion in opened if promotion.status == Status.APPROVED][:LISTED],
        "decided": list(promotions_of(by.tenant).filter(decided_at__isnull=False, status__in=_DECIDED)[:LISTED]),
        "unreviewed": list(
            Override.objects.filter(tenant_id=by.tenant, review=None)
            .select_related("promotion__release")
            .order_by("review_due_at")[:LISTED]
        ),
        "weakened": list(
            WeakeningEdit.objects.filter(tenant_id=by.tenant, at__gt=at - RECENT).order_by("-at")[:LISTED]
        ),
        "weeks": thirty_days(by.tenant, at),
    }


def thirty_days(tenant_id: UUID, at: datetime) -> list[Week]:
    """The numbers by week, oldest first; at most the newest 50,000 promotions are looked at. Two statements."""
    newest = Promotion.objects.filter(tenant_id=tenant_id).order_by("-number").values_list("number", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, {"tenant": tenant_id, "after": (newest or 0) - MOST_COUNTED, "since": at - WINDOW})
        return [
            Week(week, deployed, lead, wait, round(100 * bad / ended) if ended else None)
            for week, deployed, lead, wait, bad, ended in cursor.fetchall()
        ]


def _column(environment: Environment, state: Any, opened: list[Promotion]) -> Context:
    return {
        "environment": environment,
        "freeze": state["freeze"],
        "running": {release["product"]: release for release in state["currentReleases"]},
        "waiting": [promotion for promotion in opened if promotion.target_environment_id == environment.pk],
        "nobody_approves": not environment.required_approvals and not environment.approval_policy_links.all(),
    }


def _products(columns: list[Context]) -> list[Context]:
    """One row for each product that runs or waits anywhere, with a cell for each environment."""
    names = {product for column in columns for product in column["running"]}
    names |= {promotion.product for column in columns for promotion in column["waiting"]}
    return [
        {
            "name": name,
            "cells": [
                {
                    "environment": column["environment"],
                    "release": column["running"].get(name),
                    "waiting": [promotion for promotion in column["waiting"] if promotion.product == name],
                }
                for column in columns
            ],
        }
        for name in sorted(names)
    ]
