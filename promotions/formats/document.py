"""What every reader of a format takes and gives. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """What the document was sent for. `artifact` is the digest it is bound to; empty for a feed."""

    artifact: str


@dataclass(frozen=True, slots=True)
class Read:
    """A document in the product's form. `producer` is the tool's name; None where the document names none.

    `names_artifact`: it says by digest that it is about the artifact it was sent for; else only who sent it says so.
    """

    format: str
    parsed: Mapping[str, Any]
    producer: str | None
    generated_at: str | None
    summary: Mapping[str, Any]
    predicate_type: str | None = None
    subjects: tuple[str, ...] = ()
    names_artifact: bool = False
