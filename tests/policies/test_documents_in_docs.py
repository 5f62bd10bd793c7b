"""JSON in the documentation is what the product takes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from policies.documents import read_approval_policy, read_promotion_policy

DOCS = sorted((settings.BASE_DIR / "docs").glob("*.md"))
AROUND = {"pendingTtl": 3600, "approvalTtl": 3600, "supersedeOlder": False}


def blocks() -> list[Any]:
    found = list(_blocks())
    assert len(found) > 5
    return found


def _blocks() -> Iterator[Any]:
    for path in DOCS:
        text = path.read_text()
        for found in re.finditer(r"^```json\n(.*?)^```", text, re.M | re.S):
            line = text.count("\n", 0, found.start()) + 1
            yield pytest.param(found[1], id=f"{path.name}:{line}")


def values_in(text: str) -> list[Any]:
    """Several may stand one after the other."""
    found, rest = [], text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


@pytest.mark.parametrize("text", blocks())
def test_it_is_taken(text: str) -> None:
    for value in values_in(text):
        assert errors_in(value) == []


def errors_in(value: dict[str, Any]) -> list[Any]:
    if "document" in value:
        return errors_in(value["document"])
    if "rules" in value:
        return read_approval_policy({key: value[key] for key in value if key != "schema"})[1]
    if "gates" in value:
        return read_promotion_policy({key: value[key] for key in value if key != "schema"}, saving=True)[1]
    if "kind" in value:
        return errors_in({"gates": [value], **AROUND})
    if "type" in value:
        return errors_in({"kind": "dependency", "name": "needs", "config": {"targets": [value]}})
    return [f"No reader for {list(value)}"]
