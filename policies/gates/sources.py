"""The trusted keys and feeds that a kind of gate declares to read, and whether it reads the product: exchanging one of
these may let through a promotion that a gate of a protected environment holds (domain.md §5; docs/adr/0186). Pure."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final

from policies.gates.wording import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Of gates of one kind: the module of its newest version declares it, for gates of every version.

    `key`: whether a gate with this config believes what a key signs that has one of these names. `feed`: whether it
    asks the feed of this kind, `kev` or `epss`, in the environment of this name. `product`: whether it may answer
    otherwise there about the same images of another product; freezes and rules for owners say so themselves.
    """

    key: Callable[[Config, Set[str]], bool] = lambda _config, _names: False
    feed: Callable[[Config, str, str], bool] = lambda _config, _feed, _environment: False
    product: Callable[[Config, str], bool] = lambda _config, _environment: False


NOTHING: Final = Sources()
EVERYTHING: Final = Sources(
    key=lambda _config, _names: True,
    feed=lambda _config, _feed, _environment: True,
    product=lambda _config, _environment: True,
)
"""Also of a kind that this version does not know: what its gates may read takes two people."""
