"""The texts that a kind of gate declares for people. Pure, like its judge."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from stellapromote.signing.canonical_json import canonical_bytes

Config = Mapping[str, Any]
Stored = Mapping[str, Any]
"""A judged gate, a gate input or a bundle, as JSON has it: records of any age are explained."""
Fact = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The wording of gates of one kind: the module of its newest version declares it, for gates of every version.

    `sentence`: the requirement of a gate with this config. `weaker`: the sentences about what became easier between two
    configs of the gate with this name; any change counts where the effect is unknown (domain.md §5). `facts_shown`: the
    facts that a judged gate read, from the gate, its input and the opened bundle if there is one. `event`: the person
    or thing that can change a blocking verdict, when neither time nor people do. `ends`: the effect of the time at
    which a passing verdict ends. `act`: the act of people for the gate, None where it waits for no one.

    `tells_votes`: whether a verdict may reveal votes or confirmations, which are hidden while voting is blind.
    `hidden`: the text then shown in place of its message, from the approvals given and required.
    """

    sentence: Callable[[Config], str]
    weaker: Callable[[str, Config, Config], list[str]]
    facts_shown: Callable[[Stored, Stored, Stored | None], Iterable[Fact]]
    event: str
    tells_votes: bool
    ends: str = "It is judged again, and may block."
    act: Literal["vote", "confirm"] | None = None
    hidden: Callable[[int, int], str] = lambda _given, _required: (
        "This message may show votes, so it is hidden while voting is blind."
    )


def other_settings(name: str, before: Config, after: Config) -> list[str]:
    """`weaker` of settings whose effect is unknown."""
    return [] if canonical_bytes(before) == canonical_bytes(after) else [f"Gate {name} has other settings."]


def fact(kind: str, title: str, *, digest: str | None = None, id_: str | None = None) -> Fact:
    """One fact that a gate read, with its digest or id: a person who doubts a verdict finds it."""
    return {"kind": kind, "title": title, "digest": digest, "id": id_}


def policy_shown(_gate: Stored, gate_input: Stored, _bundle: Stored | None) -> Iterator[Fact]:
    """`facts_shown` of a gate that reads its settings."""
    policy = gate_input["requirements"]["promotionPolicy"]
    yield fact("policy", f"{policy['name']} v{policy['version']}", digest=policy["digest"])


UNKNOWN: Final = Wording(
    sentence=lambda _config: "",
    weaker=other_settings,
    facts_shown=policy_shown,
    event="",
    tells_votes=True,
)
"""For a kind that this version does not know: nothing is made up, no change is taken for harmless, votes are hidden."""
