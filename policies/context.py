"""What a judge gets beside the facts and its config."""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from policies.facts import Candidate
from policies.outcomes import OnError
from policies.requirements import Requirement

Made = TypeVar("Made", bound=Sized)


class Derive(Protocol):
    def __call__(self, digest: str, make: Callable[[Mapping[str, Any]], Made], /) -> Made: ...


@dataclass(frozen=True, slots=True)
class Context:
    """One gate's view of an evaluation. The callables look things up once per evaluation, when first asked.

    `name` and `on_error` are the gate's in its policy. `electorate`: everybody who may vote or confirm, by id.
    `requirements`: what has to be approved. `document`: a blob that the facts name by digest, to be read only.
    `derived`: what a pure function makes of such a blob, remembered by the blob's digest and the function. All of them
    raise when a document they need is missing or cannot be used, which makes the gate that asked an error; they
    never answer with less than there is.
    """

    name: str
    on_error: OnError
    electorate: Callable[[], Mapping[str, Candidate]]
    requirements: Callable[[], tuple[Requirement, ...]]
    document: Callable[[str], Mapping[str, Any]]
    derived: Derive
