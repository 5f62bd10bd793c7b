"""The argument of a judge beside the facts and its config."""

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
    """One gate's view of an evaluation. Each callable reads once per evaluation, at its first call.

    `name` and `on_error` are the gate's in its policy. `electorate`: the people who may vote or confirm, by id.
    `requirements`: the required approvals, for the teams that @owners stands for; with None a rule that names it is
    unusable. `document`: a blob that the facts name by digest, to be read only.
    `derived`: the result of a pure function of such a blob, remembered by the blob's digest and the function. All of
    them raise when a document they need is missing or unusable, which makes an error of the gate; they never answer
    with less than there is.
    """

    name: str
    on_error: OnError
    electorate: Callable[[], Mapping[str, Candidate]]
    requirements: Callable[[tuple[str, ...] | None], tuple[Requirement, ...]]
    document: Callable[[str], Mapping[str, Any]]
    derived: Derive
