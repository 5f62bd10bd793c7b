"""Tags of members, teams and services: over the whole answer, because its parts change by themselves."""

from collections.abc import Mapping
from typing import Any

from stellapromote.api.etag import opaque
from stellapromote.api.rendering import dumps


def tag_of(kind: str, document: Mapping[str, Any]) -> str:
    """The strong tag of the document, which has an `id`."""
    return opaque(kind, document["id"], dumps(document).decode())
