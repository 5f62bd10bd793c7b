"""The argument and the result of every reader of a format. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

READER: Final = 3
"""The version of the readers. It rises whenever any of them reads other facts in the same bytes: what an older version
read is then read again before it counts (domain.md §6, docs/adr/0152)."""


@dataclass(frozen=True, slots=True)
class Context:
    """The artifact that the document was sent for. `artifact` is the digest it is bound to; empty for a feed.

    `parts` are the manifests of which the artifact is known to be the index: a document about one of them is taken.
    `platforms` are those of its parts in the index, as promotions/formats/oci_index.py writes them. `sent` is the
    digest of the bytes as they were sent; empty for a document inside an envelope.
    """

    artifact: str
    parts: frozenset[str] = frozenset()
    sent: str = ""
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """The binding of a document to the artifact it was sent for. `by_digest`: it names the artifact, or a part of it.

    `part` is that part; empty for the artifact itself.
    """

    by_digest: bool
    part: str = ""


UNBOUND: Final = Binding(by_digest=False)


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document in the product's form. `producer` is the tool's name; None where the document names none.

    `names_artifact`: it names the artifact it was sent for, or a part of it, by digest; else only its sender names the
    artifact, or it need not have been signed as the kind it was sent as. `about` is that part; empty for the artifact
    itself. `scope`: how much of the artifact it covers (promotions/formats/scopes.py).
    """

    format: str
    parsed: Mapping[str, Any]
    producer: str | None
    generated_at: str | None
    summary: Mapping[str, Any]
    predicate_type: str | None = None
    subjects: tuple[str, ...] = ()
    names_artifact: bool = False
    about: str = ""
    scope: str = ""
