"""Every part of a subject that may change has words for the page."""

from promotions.judging.subject import Subject
from promotions.models import Promotion
from promotions.pages.changed_parts import changed_parts


def test_every_part_that_may_change_has_words_and_a_place() -> None:
    names = [name for name in Subject.__annotations__ if name not in ("schema", "promotionId")]
    parts = changed_parts(Promotion(), [*names, "gates.cve"], "")
    assert {part.place for part in parts} == {"diff", "gates"}
    assert not [part.words for part in parts if part.words in names]
    assert parts[-1].words == "what cve says"
