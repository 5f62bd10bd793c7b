"""The main navigation: one list, shown to people who may open its pages (ui.md, Pages)."""

from dataclasses import dataclass

from django.urls import is_valid_path

from stellapromote.accounts import scopes
from stellapromote.accounts.actor import Actor


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """`holds`: pages of the entry whose paths do not begin with its own."""

    path: str
    label: str
    scope: str
    counts_inbox: bool = False
    holds: tuple[str, ...] = ()


ENTRIES = (
    NavigationEntry("/", "Pipeline", scopes.PROMOTION_READ, holds=("/reports",)),
    NavigationEntry("/approvals", "Approvals", scopes.PROMOTION_READ, counts_inbox=True),
    NavigationEntry("/promotions", "Promotions", scopes.PROMOTION_READ),
    NavigationEntry("/releases", "Releases", scopes.RELEASE_READ),
    NavigationEntry("/products", "Products", scopes.RELEASE_READ, holds=("/image-repositories",)),
    NavigationEntry("/environments", "Environments", scopes.ENVIRONMENT_READ),
    NavigationEntry("/policies", "Policies", scopes.POLICY_READ, holds=("/proposals",)),
    NavigationEntry("/audit", "Audit", scopes.AUDIT_READ),
)


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """An entry as this person sees it on this page. `current` is the value of aria-current, or empty."""

    path: str
    label: str
    current: str
    counts_inbox: bool


def navigation(actor: Actor, path: str) -> list[NavigationItem]:
    """The entries that the actor may open and this version has; the entry of the page itself is `page`, one above it
    `true`."""
    return [
        NavigationItem(entry.path, entry.label, _current(entry, path), entry.counts_inbox)
        for entry in ENTRIES
        if actor.has(entry.scope) and is_valid_path(entry.path)
    ]


def _current(entry: NavigationEntry, path: str) -> str:
    if path == entry.path:
        return "page"
    below = {entry.path, *entry.holds} - {"/"}
    return "true" if any(f"{path}/".startswith(f"{each}/") for each in below) else ""
