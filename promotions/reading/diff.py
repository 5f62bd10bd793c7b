"""The difference between the components of two releases (contract.md, releases/{id}/diff). Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

Component = Mapping[str, Any]
_LABELS = ("digest", "semver", "tag", "imageRepository", "role")


def component_diff(old: Iterable[Component], new: Iterable[Component]) -> dict[str, list[dict[str, Any]]]:
    """Components added, removed, changed and unchanged, by name; changed: another digest, repository or role."""
    before = {component["name"]: component for component in old}
    after = {component["name"]: component for component in new}
    both = sorted(before.keys() & after.keys())
    changed = [name for name in both if _identity(before[name]) != _identity(after[name])]
    return {
        "added": [dict(after[name]) for name in sorted(after.keys() - before.keys())],
        "removed": [dict(before[name]) for name in sorted(before.keys() - after.keys())],
        "changed": [
            {
                "name": name,
                "old": {label: before[name][label] for label in _LABELS},
                "new": {label: after[name][label] for label in _LABELS},
            }
            for name in changed
        ],
        "unchanged": [dict(after[name]) for name in both if name not in changed],
    }


def _identity(component: Component) -> tuple[str, str, str]:
    return component["digest"], component["imageRepository"], component["role"]
