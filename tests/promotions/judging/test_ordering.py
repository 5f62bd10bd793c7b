"""How a release may enter: one rule, whether one target is asked about or all."""

from promotions.judging.ordering import Entry, SequenceViolation, check_can_enter, entries
from promotions.models import Promotion
from tests.promotions.drawn import Drawn


def test_all_targets_at_once_are_told_what_each_is_told_alone(drawn: Drawn) -> None:
    outcomes = set()
    for release in drawn.releases:
        for target, entry in entries(release):
            try:
                alone: Entry | SequenceViolation = check_can_enter(release, target)
            except SequenceViolation as missing:
                alone = missing
            if isinstance(alone, SequenceViolation):
                assert isinstance(entry, SequenceViolation)
                assert (alone.message, alone.details) == (entry.message, entry.details)
            else:
                assert alone == entry
            outcomes.add((type(alone), getattr(alone, "is_rollback", None)))
    assert outcomes == {(SequenceViolation, None), (Entry, False), (Entry, True)}


def test_a_release_enters_from_where_it_is_deployed_directly_before_and_goes_back_behind_what_runs(
    drawn: Drawn,
) -> None:
    """domain.md §1 in Python."""
    order = sorted(drawn.environments, key=lambda each: each.order_index or 0)
    for release in drawn.releases:
        found = entries(release)
        assert [target for target, _ in found] == order
        for before, (target, entry) in zip([None, *order], found, strict=False):
            came_through = before is not None and Promotion.objects.deployed_in(before).filter(release=release).exists()
            was_here = Promotion.objects.deployed_in(target).filter(release=release).exists()
            running = Promotion.objects.running_in(target, release.product).first()
            behind = was_here and running is not None and running.release_id != release.pk
            if before is None or came_through or was_here:
                assert entry == Entry(source=before if came_through else None, is_rollback=behind)
            else:
                assert isinstance(entry, SequenceViolation)
                assert entry.details == {"missingEnvironment": before.name, "targetEnvironment": target.name}
