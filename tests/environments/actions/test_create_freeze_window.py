from datetime import UTC, datetime

import pytest
from django.http import Http404

from environments.actions.archive_environment import archive_environment
from environments.models import FreezeWindow
from environments.presenters import freeze_window_document
from environments.rules import Archived
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, Refused
from tests.environments.world import NOW, make_environment, make_freeze, make_person, make_tenant

pytestmark = pytest.mark.django_db

CHRISTMAS = ("2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z")


@pytest.fixture
def prod(greta):
    return make_environment(greta, "prod", 1)


def test_what_is_given_is_stored(greta, prod, tomas):
    window = make_freeze(
        greta, prod, *CHRISTMAS, name="Christmas", reason="Nobody is here", exceptions=["tomas"], products=["main"]
    )
    document = freeze_window_document(FreezeWindow.objects.get(pk=window.pk))
    assert {name: document[name] for name in document if name not in ("id", "createdBy", "environmentId")} == {
        "products": ["main"],
        "name": "Christmas",
        "start": "2026-12-24T00:00:00.000Z",
        "end": "2026-12-27T00:00:00.000Z",
        "timezone": "UTC",
        "recurrence": None,
        "exdates": [],
        "reason": "Nobody is here",
        "exceptions": ["tomas"],
        "createdByName": "Greta",
        "createdAt": "2026-11-23T08:00:00.000Z",
        "updatedAt": "2026-11-23T08:00:00.000Z",
        "clearedAt": None,
        "clearedBy": None,
        "clearedByName": None,
        "clearReason": None,
        "version": 1,
    }
    assert (document["createdBy"], document["environmentId"]) == (str(greta.user_id), str(prod.pk))


def test_without_an_environment_it_stops_the_line(greta):
    assert make_freeze(greta, None, *CHRISTMAS).environment_id is None


def test_a_freeze_without_a_name_is_called_by_its_reason(greta):
    assert make_freeze(greta, None, *CHRISTMAS, reason="r" * 300).name == "r" * 200


def test_creating_is_audited(greta, prod):
    window = make_freeze(greta, prod, *CHRISTMAS)
    event = AuditEvent.objects.get(action="freeze_window.created")
    assert (event.after, event.environment_id) == (freeze_window_document(window), prod.pk)


@pytest.mark.parametrize(
    ("start", "end", "zone", "starts_at", "ends_at"),
    [
        # With an offset, the zone says nothing about the instant.
        (
            "2026-12-24T00:00:00+01:00",
            "2026-12-27T00:00:00Z",
            "America/New_York",
            datetime(2026, 12, 23, 23, tzinfo=UTC),
            datetime(2026, 12, 27, tzinfo=UTC),
        ),
        # Without one it is the clock on the wall.
        (
            "2026-12-24T00:00",
            "2026-12-27T00:00:00",
            "Europe/Berlin",
            datetime(2026, 12, 23, 23, tzinfo=UTC),
            datetime(2026, 12, 26, 23, tzinfo=UTC),
        ),
        # 02:30 does not exist on the last Sunday of March: the first instant after the gap, for start and end alike.
        (
            "2027-03-28T02:30",
            "2027-03-28T12:00",
            "Europe/Berlin",
            datetime(2027, 3, 28, 1, tzinfo=UTC),
            datetime(2027, 3, 28, 10, tzinfo=UTC),
        ),
        (
            "2027-03-27T12:00",
            "2027-03-28T02:30",
            "Europe/Berlin",
            datetime(2027, 3, 27, 11, tzinfo=UTC),
            datetime(2027, 3, 28, 1, tzinfo=UTC),
        ),
        # 02:30 comes twice on the last Sunday of October: the earlier for a start, the later for an end.
        (
            "2027-10-31T02:30",
            "2027-10-31T12:00",
            "Europe/Berlin",
            datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
            datetime(2027, 10, 31, 11, tzinfo=UTC),
        ),
        (
            "2027-10-31T02:30",
            "2027-10-31T02:30",
            "Europe/Berlin",
            datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
            datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
        ),
    ],
)
def test_times_are_instants_or_wall_clock_in_the_zone(greta, start, end, zone, starts_at, ends_at):
    window = make_freeze(greta, None, start, end, timezone=zone)
    assert (window.starts_at, window.ends_at, window.timezone) == (starts_at, ends_at, zone)


def test_a_start_in_the_past_is_a_freeze_from_now_on(greta):
    assert make_freeze(greta, None, "2026-11-23T07:59:00Z", "2026-11-23T09:00:00Z").starts_at < NOW


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"start": "tomorrow"}, "start"),
        ({"start": ""}, "start"),
        ({"start": 1}, "start"),
        ({"start": "2026-12-24T25:00:00Z"}, "start"),
        ({"start": "2026-12-24T00:00:00.000+25:00"}, "start"),
        ({"start": "1999-12-31T23:59:59Z"}, "start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({"end": "9999-12-31T23:59:59-14:00"}, "end"),
        ({"end": "2100-01-01T00:00:00Z"}, "end"),
        ({"end": None}, "end"),
        ({"end": "2026-12-23T00:00:00Z"}, "end"),  # before the start
        ({"end": "2026-12-24T00:00:00Z"}, "end"),  # empty: half-open
        ({"start": "2026-11-01T00:00:00Z", "end": "2026-11-23T08:00:00Z"}, "end"),  # over by now
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": 1}, "timezone"),
        ({"reason": ""}, "reason"),
        ({"reason": " "}, "reason"),
        ({"reason": "r" * 501}, "reason"),
        ({"reason": "a\x00b"}, "reason"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"name": ""}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"exceptions": ["nobody"]}, "exceptions[0]"),
        ({"exceptions": ["olga", "tomas"]}, "exceptions[0]"),  # olga is a member elsewhere
        ({"exceptions": ["greta"]}, "exceptions[0]"),  # nobody excepts themselves
        ({"exceptions": [1]}, "exceptions[0]"),
        ({"exceptions": [f"u{n}" for n in range(51)]}, "exceptions"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_place(greta, tomas, options, place):
    make_person(make_tenant("other"), "olga", "admin")
    with pytest.raises(Invalid) as refusal:
        make_freeze(greta, None, **{"start": CHRISTMAS[0], "end": CHRISTMAS[1], **options})
    assert [error.field for error in refusal.value.fields] == [place]
    assert not FreezeWindow.objects.exists()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("recurrence", "FREQ=WEEKLY;BYDAY=SA"),
        ("recurrence", ""),
        ("recurrence", {}),
        ("exdates", ["2026-12-25"]),
        ("exdates", "2026-12-25"),
    ],
)
def test_recurrence_is_not_supported_yet_and_the_refusal_names_the_part(greta, part, value):
    with pytest.raises(Invalid, match=f"{part} is not supported yet") as refusal:
        make_freeze(greta, None, *CHRISTMAS, **{part: value})
    assert refusal.value.code == "VAL_NOT_SUPPORTED"


def test_only_administrators_freeze(tomas):
    with pytest.raises(Refused):
        make_freeze(tomas, None, *CHRISTMAS)


def test_an_archived_environment_is_not_frozen(greta, prod, clock):
    archive_environment(by=greta, clock=clock, environment_id=prod.pk, active_promotions=0)
    with pytest.raises(Archived):
        make_freeze(greta, prod, *CHRISTMAS)


def test_another_tenants_environment_does_not_exist(greta):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "dev", 1)
    with pytest.raises(Http404):
        make_freeze(greta, foreign, *CHRISTMAS)
