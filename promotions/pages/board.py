"""The pipeline board: running releases, promotions that move or are blocked, and four numbers over thirty days."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from environments.models import Environment
from environments.paths import along
from environments.product_guards import guarding
from policies.models.weakening_edit import REMEMBERED
from policies.outcomes import blocks
from promotions.models import Override, Promotion, Release
from promotions.models.promotion import COUNTED
from promotions.models.promotion_vocabulary import PromotionQuerySet, in_sql
from promotions.reading.environment_state import environment_states
from promotions.reading.findings import findings_shown
from promotions.reading.queries import awaiting_decision_by
from promotions.states import OPEN, VOTING, Status
from promotions.voting.blindness import blind_to, gates_shown
from stellapromote.accounts.actor import Actor

Context = dict[str, Any]

WINDOW = timedelta(days=30)
LISTED = 10

OLDEST = 50

_DECIDED = [Status.APPROVED, Status.REJECTED, Status.DEPLOYED, Status.FAILED, Status.ROLLED_BACK]

# One pass over what was requested in the window, bounded by the first number in it, within the index promotion_numbers:
# its states stand in the text, so that the planner sees that it fits, and no row is read. Of one product within the
# index promotion_by_product. The origin is a Monday.
_NUMBERS = f"""
SELECT date_bin('7 days', p.requested_at, '2001-01-01T00:00:00Z') AS week, p.status, count(*),
       avg(p.completed_at - p.requested_at), avg(p.approved_at - p.requested_at), count(p.approved_at)
FROM promotions_promotion p
WHERE p.tenant_id = %(tenant)s AND p.number > %(after)s AND p.requested_at >= %(since)s
  AND p.status IN ({in_sql(COUNTED)}) {{and_product}}
GROUP BY week, p.status
"""  # noqa: S608 - the part is a constant of this module

_TENANT = """
SELECT (SELECT count(*) FROM policies_proposal WHERE tenant_id = %(tenant)s AND state = 'open'),
       (SELECT count(*) FROM policies_weakeningedit WHERE tenant_id = %(tenant)s AND at > %(since)s),
       (SELECT coalesce(json_object_agg(slug, path), '{}') FROM accounts_product
        WHERE tenant_id = %(tenant)s AND path IS NOT NULL)
"""

_BAD = (Status.REJECTED, Status.FAILED, Status.ROLLED_BACK)

MOST_COUNTED = 50_000


@dataclass(frozen=True, slots=True)
class Week:
    """One row of the numbers, about the requests of the week: ``deployed`` and not rolled back, durations in seconds,
    ``bad_share`` in percent of the ended ones."""

    begins: date
    deployed: int
    lead_time: int | None
    approval_wait: int | None
    bad_share: int | None


def board(by: Actor, at: datetime, product: str | None = None) -> Context:
    """Everything the board shows, of all products or of one. What is of no product is always shown: findings, proposals
    and the edits that loosened a guard. A constant number of statements, stated in a test."""
    environments = list(Environment.objects.of(by.tenant).live().in_order().prefetch_related("approval_policy_links"))
    states = environment_states(by.tenant, [environment.pk for environment in environments], at, product=product)
    shown = _shown(by.tenant).of_product(product)
    opened = list(shown.filter(status__in=sorted(OPEN)).order_by("number")[:OLDEST])
    columns = [_column(environment, states[environment.pk], opened) for environment in environments]
    weeks = thirty_days(by.tenant, at, product)
    settings = _settings(by.tenant, at)
    products = _products(columns, settings.paths)
    awaiting = awaiting_decision_by(by)
    approvals_waiting = awaiting.count()
    return {
        "product": product,
        "columns": columns,
        "products": products,
        "next_step": "" if products or product else _next_step(by.tenant, columns),
        "waiting_shown": len(opened),
        "waiting_all": sum(states[environment.pk]["openPromotions"] for environment in environments),
        "approvals_waiting": approvals_waiting,
        "approvals_shown": approvals_waiting if product is None else awaiting.of_product(product).count(),
        "in_flight": list(shown.filter(status=Status.DEPLOYING)[:LISTED]),
        "blocked": _blocked([promotion for promotion in opened if promotion.blocked_by][:LISTED], by),
        "ready": list(shown.filter(status=Status.APPROVED).order_by("number")[:LISTED]),
        "decided": list(shown.filter(decided_at__isnull=False, status__in=_DECIDED)[:LISTED]),
        "unreviewed": list(
            Override.objects.filter(tenant_id=by.tenant, review=None, **_of_promotion(product))
            .select_related("promotion__release")
            .only(
                "gate",
                "display_name",
                "ticket",
                "review_due_at",
                "promotion__number",
                "promotion__product",
                "promotion__release__name",
            )
            .order_by("review_due_at")[:LISTED]
        ),
        "proposed": settings.proposed,
        "weakened": settings.weakened,
        "findings": findings_shown(by),
        "weeks": weeks,
        "busiest_week": max((week.deployed for week in weeks), default=0) or 1,
    }


def _next_step(tenant_id: UUID, columns: list[Context]) -> str:
    """The first thing that an empty board lacks: `environment`, `release` or `promotion`. One statement at most."""
    if not columns:
        return "environment"
    releases = Release.objects.filter(tenant_id=tenant_id, status=Release.Status.FINALIZED)
    return "promotion" if releases.exists() else "release"


@dataclass(frozen=True, slots=True)
class _Settings:
    """Of the tenant: how many proposals wait, how many edits of the last days made entering easier, and the paths of
    the products that have one of their own."""

    proposed: int
    weakened: int
    paths: Mapping[str, list[str]]


def _settings(tenant_id: UUID, at: datetime) -> _Settings:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_TENANT, {"tenant": tenant_id, "since": at - REMEMBERED})
        [row] = cursor.fetchall()
    return _Settings(*row)


def _of_promotion(product: str | None) -> dict[str, str]:
    return {} if product is None else {"promotion__product": product}


def _shown(tenant_id: UUID) -> PromotionQuerySet:
    """The tenant's promotions, newest first, as the board shows them. Whole ones cost a quarter of its time."""
    related = ("release", "source_environment", "target_environment")
    found = Promotion.objects.filter(tenant_id=tenant_id).select_related(*related)
    return found.order_by("-number").only(
        "number",
        "version",
        "product",
        "status",
        "change",
        "blind",
        "gates",
        "blocked_by",
        "open_voters",
        "approvals_given",
        "approvals_required",
        "started_at",
        "overdue_at",
        "decided_at",
        "release__name",
        "source_environment__name",
        "source_environment__display_name",
        "target_environment__name",
        "target_environment__display_name",
    )


def version_of(context: Context) -> str:
    """Everything that the board shows, as text: the same text, the same board."""
    waiting = [promotion for column in context["columns"] for promotion in column["waiting"]]
    blocked = [each["promotion"] for each in context["blocked"]]
    lists = [waiting, blocked, *(context[name] for name in ("in_flight", "ready", "decided"))]
    return repr(
        (
            [[(str(each.pk), each.version) for each in promotions] for promotions in lists],
            [
                (str(column["environment"].pk), column["environment"].version, column["freeze"], column["running"])
                for column in context["columns"]
            ],
            [[str(each.pk) for each in context[name]] for name in ("unreviewed", "findings")],
            [
                context[name]
                for name in (
                    "product",
                    "approvals_waiting",
                    "approvals_shown",
                    "waiting_all",
                    "next_step",
                    "proposed",
                    "weakened",
                    "weeks",
                )
            ],
            [(each["messages"], each["waits_for_reader"]) for each in context["blocked"]],
            [[cell["is_off_path"] for cell in product["cells"]] for product in context["products"]],
        )
    )


def thirty_days(tenant_id: UUID, at: datetime, product: str | None = None) -> list[Week]:
    """The numbers by week, oldest first, of all products or of one; at most the newest 50,000 promotions of the tenant
    are looked at. Two statements."""
    newest = Promotion.objects.filter(tenant_id=tenant_id).order_by("-number").values_list("number", flat=True).first()
    weeks: defaultdict[datetime, dict[str, _Counted]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            _NUMBERS.format(and_product="" if product is None else "AND p.product = %(product)s"),
            {
                "tenant": tenant_id,
                "after": (newest or 0) - MOST_COUNTED,
                "since": at - WINDOW,
                "product": product,
            },
        )
        for begins, status, *counted in cursor.fetchall():
            weeks[begins][status] = _Counted(*counted)
    return [_week(begins.astimezone(UTC).date(), weeks[begins]) for begins in sorted(weeks)]


@dataclass(frozen=True, slots=True)
class _Counted:
    """Promotions of one week and status. Averages are None where there is nothing to average."""

    count: int = 0
    lead_time: timedelta | None = None
    approval_wait: timedelta | None = None
    approved: int = 0


def _week(begins: date, by_status: Mapping[str, _Counted]) -> Week:
    deployed = by_status.get(Status.DEPLOYED, _Counted())
    bad = sum(by_status[status].count for status in _BAD if status in by_status)
    waits = [(each.approval_wait, each.approved) for each in by_status.values() if each.approval_wait is not None]
    approved = sum(count for _, count in waits)
    return Week(
        begins=begins,
        deployed=deployed.count,
        lead_time=None if deployed.lead_time is None else round(deployed.lead_time.total_seconds()),
        approval_wait=round(sum(wait.total_seconds() * n for wait, n in waits) / approved) if approved else None,
        bad_share=round(100 * bad / (bad + deployed.count)) if bad + deployed.count else None,
    )


def _blocked(promotions: list[Promotion], by: Actor) -> list[Context]:
    """Each with what its blocking gates say to ``by``. One statement where a blind one takes votes."""
    asked = [each.pk for each in promotions if each.blind and each.status in VOTING]
    blind = set(blind_to(by).filter(pk__in=asked).values_list("pk", flat=True)) if asked else set()
    return [
        {
            "promotion": each,
            "waits_for_reader": each.awaits_decision_by(by),
            "messages": [
                gate["message"]
                for gate in gates_shown(each.gates, each, blind=each.pk in blind)
                if blocks(gate["status"])
            ],
        }
        for each in promotions
    ]


def _column(environment: Environment, state: Any, opened: list[Promotion]) -> Context:
    return {
        "environment": environment,
        "freeze": state["freeze"],
        "running": {release["product"]: release for release in state["currentReleases"]},
        "waiting": [promotion for promotion in opened if promotion.target_environment_id == environment.pk],
        "nobody_approves": not environment.required_approvals and _is_unguarded(environment),
    }


def _is_unguarded(environment: Environment) -> bool:
    """Whether no approval policy is for releases of products that none of them names."""
    entries = [(link, link.products) for link in environment.approval_policy_links.all()]
    return guarding(entries, environment.other_products, None) == []


def _products(columns: list[Context], paths: Mapping[str, list[str]]) -> list[Context]:
    """One row for each product that runs or waits anywhere, with a cell for each environment, which is perhaps not on
    the product's path. A promotion says its source where that is not the environment of the cell before: its product
    has a path of its own, or had one."""
    names = {product for column in columns for product in column["running"]}
    names |= {promotion.product for column in columns for promotion in column["waiting"]}
    environments = [column["environment"] for column in columns]
    on_path = {name: {each.pk for each in along(environments, path)} for name, path in paths.items() if name in names}
    befores = [None, *(column["environment"].pk for column in columns)][: len(columns)]
    return [
        {
            "name": name,
            "cells": [
                {
                    "environment": column["environment"],
                    "release": column["running"].get(name),
                    "waiting": [promotion for promotion in column["waiting"] if promotion.product == name],
                    "before": before,
                    "is_off_path": name in on_path and column["environment"].pk not in on_path[name],
                }
                for before, column in zip(befores, columns, strict=True)
            ],
        }
        for name in sorted(names)
    ]
