"""Large examples for properties, each drawn from one random number.

A strategy of Hypothesis notes each choice, to shrink an example that fails. Where an example has hundreds of them, that
takes far more time than the property. These functions are named after the strategies that they stand for. An example
that fails is printed whole, and not shrunk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from hypothesis import strategies as st

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Drawing(Generic[T]):
    """What is drawn with a source of random numbers."""

    draw: Callable[[Random], T]

    def map(self, change: Callable[[T], U]) -> "Drawing[U]":
        return Drawing(lambda random: change(self.draw(random)))


def drawn(drawing: Drawing[T]) -> st.SearchStrategy[T]:
    """The strategy for `given`. Each example is made anew: a test may change it."""
    return st.randoms(use_true_random=True).map(drawing.draw)


class Draw(Protocol):
    """How a function that is `composite` draws its parts."""

    def __call__(self, drawing: Drawing[T], /) -> T: ...


def composite(make: Callable[Concatenate[Draw, P], T]) -> Callable[P, Drawing[T]]:
    def given(*args: P.args, **options: P.kwargs) -> Drawing[T]:
        return Drawing(lambda random: make(lambda drawing: drawing.draw(random), *args, **options))

    return given


def just(value: T) -> Drawing[T]:
    return Drawing(lambda _: value)


def sampled_from(values: Sequence[T]) -> Drawing[T]:
    return Drawing(lambda random: random.choice(values))


def one_of(*drawings: Drawing[Any]) -> Drawing[Any]:
    return Drawing(lambda random: random.choice(drawings).draw(random))


def booleans() -> Drawing[bool]:
    return sampled_from([False, True])


def integers(least: int, most: int) -> Drawing[int]:
    return Drawing(lambda random: random.randint(least, most))


def tuples(*drawings: Drawing[Any]) -> Drawing[tuple[Any, ...]]:
    return Drawing(lambda random: tuple(each.draw(random) for each in drawings))


def lists(drawing: Drawing[T], *, min_size: int = 0, max_size: int) -> Drawing[list[T]]:
    return Drawing(lambda random: [drawing.draw(random) for _ in range(random.randint(min_size, max_size))])


def samples(values: Sequence[T], *, min_size: int = 0, max_size: int | None = None) -> Drawing[list[T]]:
    """Different ones of the values, in any order."""
    most = len(values) if max_size is None else max_size
    return Drawing(lambda random: random.sample(values, random.randint(min_size, most)))


def sets(values: Sequence[T], *, min_size: int = 0, max_size: int | None = None) -> Drawing[set[T]]:
    return samples(values, min_size=min_size, max_size=max_size).map(set)


def dictionaries(
    names: Sequence[str], drawing: Drawing[T], *, min_size: int = 0, max_size: int | None = None
) -> Drawing[dict[str, T]]:
    chosen = samples(names, min_size=min_size, max_size=max_size)
    return Drawing(lambda random: {name: drawing.draw(random) for name in chosen.draw(random)})


def fixed_dictionaries(
    fields: Mapping[str, Drawing[Any]], *, optional: Mapping[str, Drawing[Any]] | None = None
) -> Drawing[dict[str, Any]]:
    """All the fields; of the optional ones, any."""
    chosen = sets(list(optional or ()))

    def draw(random: Random) -> dict[str, Any]:
        left = chosen.draw(random)
        more = {name: each for name, each in (optional or {}).items() if name in left}
        return {name: each.draw(random) for name, each in {**fields, **more}.items()}

    return Drawing(draw)
