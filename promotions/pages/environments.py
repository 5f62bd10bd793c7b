"""The content of the pages about environments (ui.md, /environments): documents of the API and the reasons of its
rules."""

from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from environments import rules
from environments.freezes import in_force
from environments.models import Environment, FreezeWindow
from environments.models.freeze_window import FreezeWindowQuerySet
from environments.month import Month, month, month_named, span
from environments.ordering import order
from environments.paths import required
from environments.presenters import freeze_window_document
from environments.product_guards import guarding, products_named
from policies import requirements
from policies.models import Proposal
from policies.product_voters import MOST_SHOWN, ProductVoters
from policies.stored_documents import PolicyTextMissing, existing_documents
from promotions.reading.environment_state import (
    active_promotions,
    deployments_into,
    environment_states,
    was_ever_promoted,
)
from stellapromote.accounts.actor import Actor
from stellapromote.api.pagination import Page, QuerySetSource, read_page
from stellapromote.errors import sentence_against

HISTORY_ROWS = 20
MOST_WINDOWS = 50

Context = dict[str, Any]


def overview(by: Actor, at: datetime) -> Context:
    """All environments in order with their state, archived ones apart, and the freezes of the whole tenant."""
    environments = list(Environment.objects.of(by.tenant).in_order().with_settings())
    live = [each for each in environments if each.archived_at is None]
    states = environment_states(by.tenant, [each.pk for each in live], at)
    stops = FreezeWindow.objects.of(by.tenant).filter(environment=None).standing_at(at).oldest_first()
    return {
        "rows": [
            {
                "environment": environment,
                **_approval_policies(environment),
                "state": states[environment.pk],
                "earlier": live[place - 1].order_index if place else None,
                "later": live[place + 1].order_index if place + 1 < len(live) else None,
            }
            for place, environment in enumerate(live)
        ],
        "archived": [each for each in environments if each.archived_at is not None],
        "stops": [freeze_row(each, at) for each in stops],
        "cannot_write": sentence_against(rules.check_can_write, by),
    }


def version_of(context: Context) -> str:
    """Everything that an overview shows, as text: the same text, the same page."""
    rows = [(str(row["environment"].pk), row["environment"].version, row["state"]) for row in context["rows"]]
    stops = [(stop["id"], stop["version"], stop["standing"]) for stop in context["stops"]]
    archived = [(str(each.pk), each.version) for each in context["archived"]]
    return repr((rows, stops, archived, context["cannot_write"]))


class Shortfall(NamedTuple):
    title: str
    why: str


_NOTHING: Final = "Nothing that is requested now can enter: too few people may approve it"
_OF_PRODUCT: Final = "Nothing of product {} that is requested now can enter: too few people may approve it"
_OF_OTHERS: Final = "Nothing of other products that is requested now can enter: too few people may approve it"


def detail(by: Actor, environment: Environment, at: datetime, *, month_text: str | None, cursor: str | None) -> Context:
    """One environment: its guards, its running releases, its history, its freezes and the acts of this person."""
    first = month_named(month_text, at.date())
    concerned = FreezeWindow.objects.of(by.tenant).concerning([environment.pk])
    windows = list(concerned.newest_first()[:MOST_WINDOWS])
    shown = [freeze_row(each, at) for each in windows]
    state = environment_states(by.tenant, [environment.pk], at)[environment.pk]
    return {
        "environment": environment,
        **_approval_policies(environment),
        "on_every_path": environment.pk in required(order(by.tenant)),
        "state": state,
        "freeze": state["freeze"],
        "standing": [row for row in reversed(shown) if row["standing"] in ("in force", "planned")],
        "past": [row for row in shown if row["standing"] in ("over", "lifted")],
        "month": _month(concerned, first, at.date()),
        "history": history(by.tenant, environment.pk, cursor),
        "proposed": list(Proposal.objects.of(by.tenant).about(environment.pk, environment.name)),
        "shortfalls": [] if environment.archived_at else shortfalls(environment, at),
        **_reasons(by, environment),
    }


def _month(concerned: FreezeWindowQuerySet, first: date, today: date) -> Month:
    """The month with these windows. A window may name a thousand products: they are read of those that a day shows."""
    drawn = month(first, concerned.touching(*span(first)).defer("products"), today)
    shown = [window.pk for window in drawn.shown]
    products = dict(FreezeWindow.objects.filter(pk__in=shown).values_list("pk", "products"))
    for window in drawn.shown:
        window.products = products.get(window.pk, [])
    return drawn


def shortfalls(environment: Environment, at: datetime) -> list[Shortfall]:
    """The reasons why a request made now by any person could not be approved. Empty when some people could approve.
    Where a policy asks for owners, or a policy or a role that votes is for some products alone: one for each product
    whose requests could not.

    Saving such a number is not refused: members may come. Cost: one statement, six more where anything is required,
    one more for texts of policies that were not used lately.
    """
    links = environment.approval_policy_links.select_related("policy__current").order_by("policy__name")
    entries = [(link.policy.current, link.products) for link in links if link.policy.current is not None]
    try:
        texts = existing_documents(environment.tenant_id, [version.digest for version, _ in entries])
    except PolicyTextMissing as missing:
        return [Shortfall(_NOTHING, missing.message)]
    product_voters = ProductVoters(environment.tenant_id, at)
    limited = (
        product_voters.products_of_votes.keys() & product_voters.products.keys()
        if entries or environment.required_approvals
        else ()
    )
    named = sorted({*products_named(entries), *limited})
    found = []
    for product in (*named, None):
        held = guarding(entries, environment.other_products, product)
        if held is not None:
            documents = [texts[version.digest] for version in held]
            found += _shortfalls(documents, environment.required_approvals, product_voters, product, named)
    return found[:MOST_SHOWN]


def _shortfalls(
    documents: list[dict[str, Any]], number: int, product_voters: ProductVoters, product: str | None, named: list[str]
) -> list[Shortfall]:
    """Of the product, or with None of those that are not ``named``."""
    if any(requirements.asks_owners(each) for each in documents):
        failing = product_voters.failing(documents, number)
        asked = [each for each in failing if each.slug == product or (product is None and each.slug not in named)]
        return [Shortfall(_OF_PRODUCT.format(each.slug), each.message) for each in asked]
    required = requirements.all_of(number, documents, ())
    if not required:
        return []
    title = _OF_PRODUCT.format(product) if product else _OF_OTHERS if named else _NOTHING
    signatures = requirements.signatures(required, product_voters.voters(product).items())
    return [Shortfall(title, each.sentence) for each in requirements.shortfalls(required, signatures)]


def history(tenant_id: UUID, environment_id: UUID, cursor: str | None) -> Page:
    """Deployments, newest first. Invalid for a cursor of another list."""
    return read_page(
        QuerySetSource(deployments_into(tenant_id, environment_id), ("-started_at", "-id")),
        query={"cursor": cursor or "", "page_size": HISTORY_ROWS},
        path=f"/environments/{environment_id}",
        tenant=tenant_id,
        filters={},
    )


def freeze_row(window: FreezeWindow, at: datetime) -> Context:
    """A window as the API shows it, and where it stands: in force, planned, over or lifted."""
    if window.cleared_at is not None:
        standing = "lifted"
    elif not window.stands_at(at):
        standing = "over"
    else:
        standing = "in force" if window.starts_at <= at else "planned"
    return {**freeze_window_document(window), "standing": standing, "inForce": in_force(window)}


def _approval_policies(environment: Environment) -> Context:
    """Its approval policies in words, and what it does with the products that none of them is for."""
    entries = environment.entries
    others = ""
    if products_named(entries):
        held = guarding(entries, environment.other_products, None)
        is_free = not held and not environment.required_approvals
        others = "are refused" if held is None else "need no approval" if is_free else ""
    return {
        "policies": [
            f"{policy.name} for {', '.join(products)}" if products else policy.name for policy, products in entries
        ],
        "other_products": others,
    }


def _reasons(by: Actor, environment: Environment) -> Context:
    """Why this person cannot do what the page offers; empty where they can."""
    cannot_write = sentence_against(rules.check_can_write, by)
    others = [each for each in Environment.objects.of(by.tenant).with_settings() if each.pk != environment.pk]
    follows = sentence_against(rules.check_auto_promotion, others)
    active = active_promotions(by.tenant, environment.pk)
    used = was_ever_promoted(by.tenant, environment.pk)
    return {
        "cannot_write": cannot_write,
        "cannot_change": cannot_write or sentence_against(rules.check_not_archived, environment),
        "cannot_archive": _first(
            cannot_write, sentence_against(rules.check_can_archive, environment, active_promotions=active), follows
        ),
        "cannot_delete": _first(
            cannot_write, sentence_against(rules.check_can_delete, environment, promotions=int(used)), follows
        ),
    }


def _first(*reasons: str) -> str:
    return next((reason for reason in reasons if reason), "")
