from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stellapromote.api.cursors import Position


@dataclass(frozen=True)
class SequenceSource:
    """A short list that is in memory anyway, for `ApiView.page`; a row's place is the key of the order."""

    rows: Sequence[Any]

    columns = 1

    def after(self, position: Position | None, limit: int) -> Sequence[Any]:
        if position is None:
            return self._placed()[:limit]
        place = int(position.values[0])
        return self._placed()[:place][::-1][:limit] if position.backwards else self._placed()[place + 1 :][:limit]

    def numbered(self, offset: int, limit: int) -> Sequence[Any]:
        return self._placed()[offset : offset + limit]

    def count(self) -> int:
        return len(self.rows)

    def order_values(self, row: Any) -> tuple[Any, ...]:
        return (row[0],)

    def _placed(self) -> list[tuple[int, Any]]:
        return list(enumerate(self.rows))


def in_place(row: tuple[int, Any]) -> Any:
    """The row itself, without its place: what `present` gets of a SequenceSource."""
    return row[1]
