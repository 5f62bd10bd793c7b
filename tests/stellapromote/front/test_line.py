"""Whose request is next, and who makes room."""

import threading

from stellapromote.front.line import Line


def line(text: str) -> Line[str]:
    """`a1 a2 b1`: two of a, then one of b."""
    made: Line[str] = Line()
    for each in text.split():
        made.put(each[0], each)
    return made


def taken(made: Line[str], count: int) -> str:
    return " ".join(made.take() for _ in range(count))


def test_clients_take_turns_and_each_keeps_its_order() -> None:
    assert taken(line("a1 a2 a3 b1 c1 c2"), 6) == "a1 b1 c1 a2 c2 a3"


def test_the_last_one_of_the_client_that_has_most_makes_room() -> None:
    made = line("a1 a2 a3 b1")
    assert made.replace("b", "b2") == "a3"
    assert made.replace("b", "b3") is None
    assert made.replace("a", "a4") is None
    assert made.replace("c", "c1") in ("a2", "b2")
    assert len({made.take() for _ in range(4)}) == 4


def test_an_empty_line_has_nobody_to_make_room() -> None:
    assert line("").replace("a", "a1") is None


def test_what_left_is_taken_by_nobody() -> None:
    made = line("a1 a2 b1")
    assert made.remove("a", "a1")
    assert not made.remove("a", "a1")
    assert made.remove("b", "b1")
    assert not made.remove("c", "c1")
    assert taken(made, 1) == "a2"
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(made.take()), daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    made.put("d", "d1")
    waiting.join(10)
    assert got == ["d1"]
