import os
import threading
import time
import uuid
from itertools import chain, pairwise

from stellapromote import ids
from stellapromote.ids import Uuid7Generator, new_id

JUST_BEFORE_OVERFLOW = (1 << 42) - 1


def test_an_id_is_a_version_7_uuid_of_rfc_9562() -> None:
    made = new_id()

    assert made.version == 7
    assert made.variant == uuid.RFC_4122


def test_an_id_begins_with_the_unix_milliseconds_of_its_creation() -> None:
    assert Uuid7Generator(lambda: 0x017F22E279B0)().hex[:12] == "017f22e279b0"  # the instant of RFC 9562, appendix A.6


def test_new_ids_carry_the_time_of_the_machine() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = new_id().int >> 80

    # A burst of ids elsewhere in this process can only have moved the counter, which is below the milliseconds.
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_ids_made_one_after_another_only_grow() -> None:
    made = [new_id() for _ in range(20_000)]

    assert all(earlier < later for earlier, later in pairwise(made))


def test_ids_grow_while_the_clock_stands_still() -> None:
    generate = Uuid7Generator(lambda: 1_000)
    made = [generate() for _ in range(1_000)]

    assert made == sorted(set(made))


def test_ids_grow_when_the_clock_goes_back() -> None:
    times = iter([5_000, 4_000, 3_999])
    generate = Uuid7Generator(lambda: next(times))

    first, second, third = generate(), generate(), generate()

    assert first < second < third


def test_a_used_up_counter_moves_into_the_next_millisecond() -> None:
    generate = Uuid7Generator(lambda: 1_000)
    first = generate()
    generate._counter = JUST_BEFORE_OVERFLOW

    assert first < generate()
    assert generate().int >> 80 == 1_001


def test_ids_of_many_threads_are_all_different() -> None:
    made: list[list[uuid.UUID]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda mine=mine: mine.extend(new_id() for _ in range(2_000))) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    everything = list(chain.from_iterable(made))
    assert len(set(everything)) == len(everything) == 16_000


def test_a_generator_told_to_forget_starts_from_another_counter() -> None:
    generate = Uuid7Generator(lambda: 1_000)
    generate()
    before = generate._counter
    generate.forget()
    generate()

    assert abs(generate._counter - before) > 1


def test_a_forked_child_does_not_count_on_where_its_parent_stands() -> None:
    ids._generate._last = 1 << 47  # far in the future: a child that kept it would go on from there
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id().bytes)
        os._exit(0)
    try:
        of_child = uuid.UUID(bytes=os.read(reader, 16))
        os.waitpid(child, 0)
    finally:
        ids._generate.forget()
        os.close(reader)
        os.close(writer)

    assert of_child.int >> 80 < 1 << 47
