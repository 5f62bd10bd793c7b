from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.audit.chain import GENESIS, Break, Head, Link, event_hash, follow

digests = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=12, unique=True)


def chain_of(contents: list[bytes]) -> list[Link]:
    links, previous = [], GENESIS
    for sequence, digest in enumerate(contents, 1):
        own = event_hash(previous, sequence, digest)
        links.append(Link(sequence, previous, own, digest, digest))
        previous = own
    return links


def broken_at(links: list[Link], after: Head | None = None) -> tuple[int, Break] | None:
    _, broken = follow(after or Head(), links)
    return None if broken is None else (broken.sequence, broken.reason)


def flipped(value: bytes, position: int) -> bytes:
    changed = bytearray(value)
    changed[position % len(changed)] ^= 1 + position % 255
    return bytes(changed)


def test_the_hash_is_that_of_previous_hash_sequence_and_digest() -> None:
    # sha256(32 zero bytes ‖ 00 00 00 00 00 00 00 01 ‖ 32 bytes of 0x11), computed with sha256sum
    expected = "8bdbfe12a05c9146f45b4ef6d5e2cce12f35ea40cf4c0f06a221669756b0eac1"
    assert event_hash(GENESIS, 1, b"\x11" * 32).hex() == expected


@given(digests)
def test_a_chain_as_it_was_sealed_holds_to_its_last_link(contents: list[bytes]) -> None:
    links = chain_of(contents)
    assert follow(Head(), links) == (Head(len(links), links[-1].event_hash), None)


def test_a_chain_without_links_holds() -> None:
    assert follow(Head(), []) == (Head(0, GENESIS), None)


@given(digests, st.integers(0, 12))
def test_a_chain_verified_in_two_pieces_ends_at_the_same_head(contents: list[bytes], cut: int) -> None:
    links = chain_of(contents)
    head, _ = follow(Head(), links[:cut])
    assert follow(head, links[cut:]) == follow(Head(), links)


@given(
    digests,
    st.integers(0, 11),
    st.integers(0, 10_000),
    st.sampled_from(["previous_event_hash", "event_hash", "stored_digest", "computed_digest"]),
)
def test_any_single_changed_byte_is_found_at_its_link_or_the_next(
    contents: list[bytes], place: int, position: int, field: str
) -> None:
    links = chain_of(contents)
    place %= len(links)
    links[place] = replace(links[place], **{field: flipped(getattr(links[place], field), position)})
    found = broken_at(links)
    assert found is not None
    assert found[0] == place + 1


@given(digests, st.integers(0, 11))
def test_a_removed_link_is_a_gap_unless_it_was_the_last(contents: list[bytes], place: int) -> None:
    links = chain_of(contents)
    place %= len(links)
    del links[place]
    assert broken_at(links) == (None if place == len(links) else (place + 1, Break.GAP))


@given(digests, st.integers(0, 11), st.binary(min_size=32, max_size=32))
def test_an_inserted_link_is_found(contents: list[bytes], place: int, digest: bytes) -> None:
    links = chain_of(contents)
    place %= len(links)
    previous = links[place].event_hash
    sequence = place + 1
    links.insert(place + 1, Link(sequence, previous, event_hash(previous, sequence, digest), digest, digest))
    assert broken_at(links) == (sequence, Break.FORK)


@given(digests, st.integers(0, 11), st.binary(min_size=32, max_size=32))
def test_an_inserted_link_is_found_when_all_behind_it_are_counted_on(
    contents: list[bytes], place: int, digest: bytes
) -> None:
    links = chain_of(contents)
    place %= len(links)
    previous = links[place].event_hash
    inserted = Link(place + 2, previous, event_hash(previous, place + 2, digest), digest, digest)
    behind = [replace(link, sequence=link.sequence + 1) for link in links[place + 1 :]]
    found = broken_at([*links[: place + 1], inserted, *behind])
    assert found == ((place + 3, Break.LINK_MISMATCH) if behind else None)


@given(digests.filter(lambda contents: len(contents) > 1), st.integers(0, 10))
def test_two_swapped_links_are_found(contents: list[bytes], place: int) -> None:
    links = chain_of(contents)
    place %= len(links) - 1
    links[place], links[place + 1] = links[place + 1], links[place]
    assert broken_at(links) == (place + 1, Break.GAP)


@given(digests.filter(lambda contents: len(contents) > 1), st.integers(0, 10))
def test_two_swapped_events_are_found(contents: list[bytes], place: int) -> None:
    links = chain_of(contents)
    place %= len(links) - 1
    first, second = links[place], links[place + 1]
    links[place] = replace(first, stored_digest=second.stored_digest, computed_digest=second.computed_digest)
    links[place + 1] = replace(second, stored_digest=first.stored_digest, computed_digest=first.computed_digest)
    assert broken_at(links) == (place + 1, Break.HASH_MISMATCH)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sequence": 4}, Break.GAP),
        ({"sequence": 2}, Break.FORK),
        ({"previous_event_hash": bytes(32)}, Break.LINK_MISMATCH),
        ({"event_hash": bytes(32)}, Break.HASH_MISMATCH),
        ({"computed_digest": bytes(32)}, Break.DIGEST_MISMATCH),
        ({"stored_digest": None, "computed_digest": None}, Break.MISSING_EVENT),
    ],
)
def test_each_break_is_named(change: dict[str, object], reason: Break) -> None:
    links = chain_of([bytes([number]) * 32 for number in range(1, 4)])
    links[2] = replace(links[2], **change)  # type: ignore[arg-type]
    found = broken_at(links)
    assert found is not None
    assert found[1] is reason
