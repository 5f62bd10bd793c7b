"""Whose word a grant rests on (docs/adr/0157)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.vouching import Barred, Confirmation, Source, Sources, Vouching

DAY = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
EARLIER, LATER = DAY - timedelta(days=1), DAY + timedelta(days=1)
ADA, BEA, CYD, TOMAS = "ada", "bea", "cyd", "tomas"

# Ada and Bea came by the command line; Ada made Cyd an administrator on a page.
AUTHORITIES: dict[str, Source | None] = {
    "role of ada": None,
    "role of bea": None,
    "role of cyd": Source(frozenset({ADA}), DAY, "role of ada"),
}
CYD_CONFIRMED = {
    **AUTHORITIES,
    "role of cyd": Source(frozenset({ADA}), DAY, "role of ada", Confirmation(BEA, DAY, "role of bea")),
}


def by(
    giver: str, *behind: str, confirmed_by: str | None = None, at: datetime = DAY, confirmed_at: datetime = DAY
) -> Source:
    """A grant of a page, under the giver's own role."""
    confirmation = None if confirmed_by is None else Confirmation(confirmed_by, confirmed_at, f"role of {confirmed_by}")
    return Source(frozenset({giver, *behind}), at, f"role of {giver}", confirmation)


TABLE: list[tuple[Source | None, Barred, Sources, bool]] = [
    # the command line and directories
    (None, {ADA: None}, AUTHORITIES, True),
    # by an administrator who has nothing to do with it
    (by(ADA), {TOMAS: None}, AUTHORITIES, True),
    # by one who is excluded
    (by(ADA), {ADA: None}, AUTHORITIES, False),
    # by a machine of theirs
    (by(BEA, ADA), {ADA: None}, AUTHORITIES, False),
    # by one who is excluded, and confirmed by somebody who is not
    (by(ADA, confirmed_by=BEA), {ADA: None}, AUTHORITIES, True),
    # or on the command line
    (by(ADA)._replace(confirmation=Confirmation(None, DAY, None)), {ADA: None}, AUTHORITIES, True),
    # confirmed by somebody who is excluded as well
    (by(ADA, confirmed_by=BEA), {ADA: None, BEA: None}, AUTHORITIES, False),
    # that the confirmer is excluded takes nothing from the giver's word
    (by(ADA, confirmed_by=BEA), {BEA: None}, AUTHORITIES, True),
    # by somebody who gives rights only by the word of somebody excluded
    (by(CYD), {ADA: None}, AUTHORITIES, False),
    # and whose role another person confirmed
    (by(CYD), {ADA: None}, CYD_CONFIRMED, True),
    (by(CYD), {ADA: None, BEA: None}, CYD_CONFIRMED, False),
    # confirmed by such a one
    (by(ADA, confirmed_by=CYD), {ADA: None}, AUTHORITIES, False),
    (by(ADA, confirmed_by=CYD), {ADA: None}, CYD_CONFIRMED, True),
    # under a role that nobody knows: by a machine
    (Source(frozenset({"robot", BEA}), DAY, None), {}, AUTHORITIES, False),
    # who edited settings is barred from then on
    (by(ADA, at=EARLIER), {ADA: DAY}, AUTHORITIES, True),
    (by(ADA, at=DAY), {ADA: DAY}, AUTHORITIES, False),
    (by(ADA, at=LATER), {ADA: DAY}, AUTHORITIES, False),
    (by(ADA, confirmed_by=BEA, confirmed_at=EARLIER), {ADA: None, BEA: DAY}, AUTHORITIES, True),
    (by(ADA, confirmed_by=BEA, confirmed_at=LATER), {ADA: None, BEA: DAY}, AUTHORITIES, False),
]


@pytest.mark.parametrize(("source", "barred", "authorities", "expected"), TABLE)
def test_whether_it_counts(source: Source | None, barred: Barred, authorities: Sources, expected: bool) -> None:
    assert Vouching.of(barred, authorities).counts(source) is expected


def test_without_a_person_what_rests_on_them_does_not_count() -> None:
    vouching = Vouching.of({}, AUTHORITIES)
    assert vouching.counts(by(CYD))
    assert not vouching.without(ADA).counts(by(CYD))
    assert vouching.without(BEA).counts(by(CYD))


def test_two_roles_that_were_confirmed_under_each_other_rest_on_nothing() -> None:
    circle: dict[str, Source | None] = {
        "role of cyd": Source(frozenset({TOMAS}), DAY, None, Confirmation(BEA, DAY, "role of bea")),
        "role of bea": Source(frozenset({TOMAS}), DAY, None, Confirmation(CYD, DAY, "role of cyd")),
    }
    assert not Vouching.of({TOMAS: None}, circle).sound


PEOPLE = [f"p{number}" for number in range(6)]
_WHO = st.sampled_from(PEOPLE)
_UNDER = st.sampled_from([None, *(f"role of {person}" for person in PEOPLE)])
_CONFIRMATIONS = st.none() | st.builds(Confirmation, _WHO, st.just(DAY), _UNDER)
_SOURCES = st.builds(Source, st.frozensets(_WHO, min_size=1, max_size=2), st.just(DAY), _UNDER, _CONFIRMATIONS)


def paths(source: Source | None, authorities: Sources, seen: frozenset[str] = frozenset()) -> list[frozenset[str]]:
    """Everybody whose word is needed, for each way in which a grant comes down from the command line."""
    if source is None:
        return [frozenset()]
    steps = [(source.givers, source.under)]
    if source.confirmation is not None and source.confirmation.by_id is not None:
        steps.append((frozenset({source.confirmation.by_id}), source.confirmation.under))
    return [
        people | rest
        for people, under in steps
        if under in authorities and under not in seen
        for rest in paths(authorities[under], authorities, seen | {under})
    ]


@given(
    st.dictionaries(st.sampled_from([f"role of {person}" for person in PEOPLE]), st.none() | _SOURCES),
    _SOURCES,
    st.frozensets(_WHO),
)
def test_what_counts_comes_down_by_people_who_are_not_excluded(
    authorities: dict[str, Source | None], source: Source, excluded: frozenset[str]
) -> None:
    counts = Vouching.of(dict.fromkeys(excluded), authorities).counts(source)
    assert counts == any(excluded.isdisjoint(people) for people in paths(source, authorities))


@given(st.dictionaries(st.sampled_from([f"role of {person}" for person in PEOPLE]), st.none() | _SOURCES), _SOURCES)
def test_a_grant_rests_on_each_person_without_whom_it_does_not_count(
    authorities: dict[str, Source | None], source: Source
) -> None:
    vouching = Vouching.of({}, authorities)
    if vouching.counts(source):
        needed = {person for person in PEOPLE if not vouching.without(person).counts(source)}
        assert vouching.resting_on(source) == needed
    else:
        assert vouching.resting_on(source) >= source.givers
