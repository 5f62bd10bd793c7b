import pytest

from promotions.states import Status
from stellapromote.web.icons import ICONS
from stellapromote.web.words import DECISIONS, GATE_VERDICTS, PROMOTION_STATES, TONE_ICONS, label_of

TABLES = {"states": PROMOTION_STATES, "verdicts": GATE_VERDICTS, "decisions": DECISIONS}


def test_every_state_of_a_promotion_has_its_word_tone_and_shape() -> None:
    assert set(PROMOTION_STATES) == {status.value for status in Status}


@pytest.mark.parametrize("name", TABLES)
def test_no_two_names_of_a_table_look_the_same(name: str) -> None:
    looks = [(entry.tone, entry.icon) for entry in TABLES[name].values()]
    assert len(set(looks)) == len(looks)


def test_states_differ_by_shape_alone_for_those_who_see_no_colour() -> None:
    icons = [entry.icon for entry in PROMOTION_STATES.values()]
    assert len(set(icons)) == len(icons)


def test_every_shape_that_is_named_exists() -> None:
    named = {entry.icon for table in TABLES.values() for entry in table.values()} | set(TONE_ICONS.values())
    assert named <= set(ICONS)


def test_an_unknown_name_is_its_own_word_at_rest() -> None:
    entry = label_of(PROMOTION_STATES, "on_hold")
    assert (entry.word, entry.tone) == ("on hold", "rest")
