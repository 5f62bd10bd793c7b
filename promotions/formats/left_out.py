"""The parts that a reader leaves out: counted, with the reason, never dropped in silence (docs/documents.md). Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from policies.document_facts import LeftOut
from promotions.formats.reading import INVALID, DocumentRefused, a_list, an_object, at, check_name

UNREADABLE: Final = "an entry that cannot be read"

T = TypeVar("T")


class Omissions:
    """Collected while a document is read. Facts have reasons and numbers; the summary has the first place, too."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._places: dict[str, str] = {}

    def add(self, reason: str, place: str, number: int = 1) -> None:
        """`reason`: the left-out parts, as a phrase after a number: `3 paths that the scanner was told to skip`."""
        self._numbers[reason] = self._numbers.get(reason, 0) + number
        self._places.setdefault(reason, place[:200])

    def add_unreadable(self, refused: DocumentRefused, number: int = 1) -> None:
        """An entry whose reader refused it. What is about another artifact is no entry, and refused."""
        if refused.code != INVALID:
            raise refused
        self.add(UNREADABLE, f"{refused.place}: {refused.message}", number)

    def readable(
        self, holder: dict[str, Any], name: str, place: str, read: Callable[[dict[str, Any], str], Iterable[T]]
    ) -> Iterator[T]:
        """The results of `read(entry, place)` for each object of a list that may be absent; refused entries are
        counted. DocumentRefused for another value than a list.

        `read` refuses before it answers: its result may be too much to hold, and is not read here.
        """
        if holder.get(name) is None:
            return
        inside = at(place, name)
        for number, each in enumerate(a_list(holder[name], inside)):
            where = f"{inside}[{number}]"
            try:
                found = read(an_object(each, where), where)
            except DocumentRefused as refused:
                self.add_unreadable(refused)
            else:
                yield from found

    def names(self, holder: dict[str, Any], name: str, place: str) -> list[str]:
        """The names in a list that may be absent, each as maybe_name gives it; what is no text is counted."""
        values = holder.get(name)
        if values is None:
            return []
        inside = at(place, name)
        found = []
        for each in values if isinstance(values, list) else [values]:
            try:
                found.append(None if each is None else check_name(each, inside))
            except DocumentRefused as refused:
                self.add_unreadable(refused)
        return [each for each in found if each]

    def facts(self) -> list[LeftOut]:
        return [{"reason": reason, "number": self._numbers[reason]} for reason in sorted(self._numbers)]

    def summary(self) -> dict[str, Any]:
        """`leftOut` is the number of all, `leftOutBecause` names each reason with its first place."""
        because = [{**each, "at": self._places[each["reason"]]} for each in self.facts()]
        return {"leftOut": sum(self._numbers.values()), "leftOutBecause": because}
