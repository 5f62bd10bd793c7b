"""People who act at the same instant, on real PostgreSQL with real commits."""

from environments.actions.archive_environment import archive_environment
from environments.actions.create_environment import create_environment
from environments.actions.create_freeze_window import create_freeze_window
from environments.actions.update_environment import update_environment
from environments.etags import environment_tag
from environments.models import Environment, FreezeWindow
from environments.rules import Archived, NameTaken, OrderIndexTaken
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from tests.database import CommittedDatabase
from tests.environments.world import NOW, make_environment, make_person, make_tenant


def administrator() -> Actor:
    return make_person(make_tenant(), "greta", "admin")


def move(by: Actor, environment: Environment, order_index: int) -> Environment:
    return update_environment(
        by=by, clock=FixedClock(NOW), environment_id=environment.pk, changes={"order_index": order_index}
    )


def test_moves_at_once_leave_an_order_and_lose_no_move(committed_db: CommittedDatabase) -> None:
    greta = administrator()
    rows = [make_environment(greta, f"e{index}", index) for index in range(5)]
    moves = [(0, 4), (4, 0), (2, 1), (3, 0)]
    outcomes = committed_db.at_once(*[lambda who=who, to=to: move(greta, rows[who], to) for who, to in moves])

    assert [type(each) for each in outcomes] == [Environment] * len(moves)
    found = list(Environment.objects.all())
    assert sorted(row.order_index for row in found) == [0, 1, 2, 3, 4]
    # Each move is one event, and every version was raised once for each event that names its environment.
    events = list(AuditEvent.objects.filter(action="environment.updated"))
    named = [
        name for event in events for name in [event.metadata["name"], *(s["name"] for s in event.metadata["shifted"])]
    ]
    assert len(events) == len([event for event in events if event.after]) <= len(moves)
    assert {row.name: row.version - 1 for row in found} == {row.name: named.count(row.name) for row in found}


def test_one_place_goes_to_one_of_those_who_want_it_at_once(committed_db: CommittedDatabase) -> None:
    greta = administrator()
    outcomes = committed_db.at_once(*[lambda name=name: make_environment(greta, name, 1) for name in ("a", "b", "c")])
    assert sorted(type(each).__name__ for each in outcomes) == ["Environment", "OrderIndexTaken", "OrderIndexTaken"]
    assert any(isinstance(each, OrderIndexTaken) for each in outcomes)
    assert Environment.objects.count() == 1


def test_one_name_goes_to_one_of_those_who_want_it_at_once(committed_db: CommittedDatabase) -> None:
    greta = administrator()
    outcomes = committed_db.at_once(
        *[
            lambda place=place: create_environment(
                by=greta, clock=FixedClock(NOW), name="prod", display_name="P", order_index=place
            )
            for place in (1, 2, 3)
        ]
    )
    assert sum(isinstance(each, NameTaken) for each in outcomes) == 2
    assert Environment.objects.count() == 1


def test_of_edits_under_the_same_condition_one_is_stored(committed_db: CommittedDatabase) -> None:
    greta = administrator()
    environment = make_environment(greta, "dev", 1)

    def edit(approvals: int) -> Environment:
        return update_environment(
            by=greta,
            clock=FixedClock(NOW),
            environment_id=environment.pk,
            changes={"required_approvals": approvals},
            if_match=IfMatch(environment_tag(environment.pk, 1)),
        )

    outcomes = committed_db.at_once(*[lambda n=n: edit(n) for n in (1, 2, 3)])
    assert sum(isinstance(each, PreconditionFailed) for each in outcomes) == 2
    assert Environment.objects.get().version == 2
    assert AuditEvent.objects.filter(action="environment.updated").count() == 1


def test_an_environment_is_archived_once(committed_db: CommittedDatabase) -> None:
    greta = administrator()
    environment = make_environment(greta, "dev", 1)

    def archive() -> Environment:
        return archive_environment(by=greta, clock=FixedClock(NOW), environment_id=environment.pk, active_promotions=0)

    outcomes = committed_db.at_once(archive, archive, archive)
    assert sum(isinstance(each, Archived) for each in outcomes) == 2
    assert AuditEvent.objects.filter(action="environment.archived").count() == 1


def test_freezes_set_at_once_are_all_kept(committed_db: CommittedDatabase) -> None:
    greta = administrator()
    environment = make_environment(greta, "dev", 1)

    def freeze(environment_id: object) -> FreezeWindow:
        return create_freeze_window(
            by=greta,
            clock=FixedClock(NOW),
            environment_id=environment_id,
            start="2026-12-24T00:00:00Z",
            end="2026-12-27T00:00:00Z",
            reason="Christmas",
        )

    committed_db.at_once(lambda: freeze(None), lambda: freeze(environment.pk), lambda: freeze(None))
    assert FreezeWindow.objects.count() == 3
