"""What a reader leaves out: counted, with the reason, never dropped in silence (docs/evidence-inputs.md). Pure."""

from typing import Any, Final

from policies.evidence_facts import LeftOut
from promotions.formats.reading import DocumentRefused

UNREADABLE: Final = "an entry that cannot be read"


class Omissions:
    """Collected while a document is read. Facts have reasons and numbers; the summary has the first place, too."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._places: dict[str, str] = {}

    def add(self, reason: str, place: str, number: int = 1) -> None:
        """`reason`: what is left out, as a phrase after a number: `3 paths that the scanner was told to skip`."""
        self._numbers[reason] = self._numbers.get(reason, 0) + number
        self._places.setdefault(reason, place[:200])

    def add_unreadable(self, refused: DocumentRefused) -> None:
        """An entry whose reader refused it."""
        self.add(UNREADABLE, f"{refused.place}: {refused.message}")

    def facts(self) -> list[LeftOut]:
        return [{"reason": reason, "number": self._numbers[reason]} for reason in sorted(self._numbers)]

    def summary(self) -> dict[str, Any]:
        """`leftOut` is the number of all, `leftOutBecause` names each reason with its first place."""
        because = [{**each, "at": self._places[each["reason"]]} for each in self.facts()]
        return {"leftOut": sum(self._numbers.values()), "leftOutBecause": because}
