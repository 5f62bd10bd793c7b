"""The wording of preconditions."""

from collections.abc import Iterator
from typing import Final

from policies.gates.wording import Config, Fact, Stored, Wording, fact


def _sentence(config: Config) -> str:
    if config["requireChangeRef"]:
        return "Release, source and target are as requested, and the request names a change reference."
    return "Release, source and target are as requested."


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    if before["requireChangeRef"] and not after["requireChangeRef"]:
        return [f"Gate {name} needs no change reference any more."]
    return []


def _facts(_gate: Stored, gate_input: Stored, _bundle: Stored | None) -> Iterator[Fact]:
    release = gate_input["release"]
    yield fact("release", release["name"], digest=release["manifestDigest"], id_=release["id"])
    yield fact("subject", gate_input["target"]["name"], digest=gate_input["subject"]["digest"])


WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=_facts,
    event="This does not change by itself: correct the cause and request the promotion again.",
    tells_votes=False,
)
