"""Feeds through HTTP: who brings them in, what is kept of them, and which of them counts.

A feed is not signed, so its date alone shuts out no other.
"""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policies import references
from policies.models import WeakeningEdit
from promotions.models import Feed, FeedEntry
from promotions.verification.feeds import check_feeds, check_newest_feed
from stellapromote.clock import FixedClock
from tests.promotions.api.test_nobody_alone_by_proposals import confirms, guarded_by, joins, proposed
from tests.promotions.api.world import World
from tests.promotions.formats.samples import EPSS, KEV
from tests.promotions.uploads import feed

KNOWN, NEW = KEV["vulnerabilities"], {"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10"}
REFUSED = (409, "RES_STATE_CONFLICT")


def from_now(**options: float) -> str:
    return (datetime.now(UTC) + timedelta(**options)).isoformat(timespec="milliseconds")


def kev(date: str, *listed: dict[str, str]) -> dict[str, Any]:
    document = {**KEV, "dateReleased": date, "count": len(listed), "vulnerabilities": listed}
    return {"kind": "kev", "document": json.dumps(document)}


def epss(date: str, **scores: str) -> dict[str, Any]:
    head, names = EPSS.decode().split("\n")[:2]
    rows = [f"{cve.replace('_', '-')},{score},0.5" for cve, score in scores.items()]
    return {"kind": "epss", "document": "\n".join([head.replace("2026-11-01", date), names, *rows]) + "\n"}


def counts(world: World, kind: str) -> dict[str, Any]:
    first: dict[str, Any] = world.idris.get(f"feeds?kind={kind}")["data"][0]
    return first


def listed() -> set[str]:
    return set(FeedEntry.objects.values_list("cve", flat=True))


def test_a_date_ahead_keeps_no_new_entry_out(world: World) -> None:
    """Somebody sends what is known with a date some minutes ahead, before the catalogue of an hour ago."""
    world.greta.ok("POST", "feeds", kev(from_now(minutes=9), *KNOWN), status=201)
    real = world.greta.ok("POST", "feeds", kev(from_now(hours=-1), *KNOWN, NEW), status=201)
    assert NEW["cveID"] in listed()
    assert counts(world, "kev")["id"] == real["id"]


def test_a_feed_counts_as_published_at_its_upload_at_the_latest(world: World) -> None:
    made = world.greta.ok("POST", "feeds", kev(from_now(minutes=9), *KNOWN), status=201)
    assert made["publishedAt"] == made["uploadedAt"]


def test_a_feed_of_an_older_date_is_as_old_as_it_says(world: World) -> None:
    """So maxFeedAge counts from there."""
    world.greta.ok("POST", "feeds", kev("2026-11-01T17:00:00Z", *KNOWN), status=201)
    older = world.greta.ok("POST", "feeds", kev("2026-10-31T17:00:00Z", *KNOWN, NEW), status=201)
    assert older["publishedAt"] == "2026-10-31T17:00:00.000Z"


LATER = {**KNOWN[1], "dateAdded": "2026-02-03"}


@pytest.mark.parametrize("entries", [[KNOWN[0]], [KNOWN[0], LATER]], ids=["one is missing", "one is listed later"])
@pytest.mark.parametrize("date", ["2026-10-31T17:00:00Z", "2026-11-01T17:00:00Z"])
def test_a_feed_that_is_not_later_and_tells_less_is_refused(world: World, date: str, entries: Any) -> None:
    world.greta.ok("POST", "feeds", kev("2026-11-01T17:00:00Z", *KNOWN), status=201)
    assert world.greta.refused("POST", "feeds", kev(date, *entries)) == REFUSED
    assert listed() == {each["cveID"] for each in KNOWN}


@pytest.mark.parametrize("entries", [[KNOWN[0], NEW], [KNOWN[0], LATER, NEW]])
def test_what_it_adds_counts_all_the_same(world: World, entries: Any) -> None:
    """The feed that counts has the entries of both, in bytes of its own that can be read again."""
    world.greta.ok("POST", "feeds", kev("2026-11-01T17:00:00Z", *KNOWN), status=201)
    made = world.greta.ok("POST", "feeds", kev("2026-10-31T17:00:00Z", *entries), status=201)
    assert (counts(world, "kev")["id"], made["publishedAt"]) == (made["id"], "2026-11-01T17:00:00.000Z")
    days = FeedEntry.objects.values_list("cve", "listed_on")
    assert {cve: day and day.isoformat() for cve, day in days} == {
        each["cveID"]: each["dateAdded"] for each in [*KNOWN, NEW]
    }
    assert check_newest_feed(Feed.objects.get(pk=made["id"])) == check_feeds(Feed.objects.all()) == []
    assert world.greta.refused("POST", "feeds", kev("2026-10-31T17:00:00Z", *entries)) == REFUSED


def test_an_invented_entry_keeps_no_new_one_out(world: World) -> None:
    """Leaving it out again takes a second person where production asks for the feed; what is new counts at once."""
    gate = {"kind": "security", "config": {"trustedUploaders": ["mei"], "rules": {"kev-blocker": {}}}}
    world.greta.ok("POST", "feeds", kev("2026-11-01T17:00:00Z", *KNOWN), status=201)
    guarded_by(world, "kev", f"environments/{world.environments['production'].pk}", gate)
    invented = {"cveID": "CVE-2026-999999", "dateAdded": "2026-11-01"}
    world.greta.ok("POST", "feeds", kev(from_now(minutes=9), *KNOWN, invented), status=201)
    world.greta.ok("POST", "feeds", kev(from_now(hours=-1), *KNOWN, NEW), status=201)
    everything = {each["cveID"] for each in [*KNOWN, invented, NEW]}
    assert listed() == everything
    newer = {"cveID": "CVE-2026-0002", "dateAdded": "2026-11-02"}
    proposal = proposed(world.greta, "POST", "feeds", kev(from_now(minutes=1), *KNOWN, NEW, newer))
    assert listed() == {*everything, newer["cveID"]}
    assert confirms(joins(world, "ines", "admin"), proposal) == (200, "confirmed")
    assert listed() == {*everything, newer["cveID"]} - {invented["cveID"]}


def test_the_first_feed_takes_a_second_person_where_production_asks_for_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one the gate waits: the first lets through what it does not list. The policy is of a version that looked
    up no names."""
    monkeypatch.setitem(references._names, references.FEED, lambda _: {"kev"})
    gate = {"kind": "security", "config": {"trustedUploaders": ["mei"], "rules": {"kev-blocker": {}}}}
    guarded_by(world, "kev", f"environments/{world.environments['production'].pk}", gate)
    proposal = proposed(world.greta, "POST", "feeds", kev("2026-11-01T17:00:00Z", *KNOWN))
    assert not Feed.objects.exists()
    assert confirms(joins(world, "ines", "admin"), proposal) == (200, "confirmed")
    assert listed() == {each["cveID"] for each in KNOWN}


def test_the_bytes_of_an_earlier_feed_may_count_again(world: World) -> None:
    """Somebody replaced it by one that lists less; then it came again."""
    full = kev("2026-11-01T17:00:00Z", *KNOWN)
    world.greta.ok("POST", "feeds", full, status=201)
    world.greta.ok("POST", "feeds", kev("2026-11-02T17:00:00Z", KNOWN[0]), status=201)
    again = world.greta.ok("POST", "feeds", full, status=201)
    assert (counts(world, "kev")["id"], Feed.objects.count()) == (again["id"], 3)
    assert listed() == {each["cveID"] for each in KNOWN}


def test_lowered_scores_keep_the_scores_of_the_same_day_out_no_more(world: World) -> None:
    world.greta.ok("POST", "feeds", epss("2026-11-02", CVE_2026_0001="0.01", CVE_2025_0009="0.5"), status=201)
    world.greta.ok("POST", "feeds", epss("2026-11-01", CVE_2026_0001="0.9", CVE_2025_0009="0.5"), status=201)
    assert FeedEntry.objects.get(cve="CVE-2026-0001").score == 0.9


@pytest.mark.parametrize("scores", [{"CVE_2026_0001": "0.9"}, {"CVE_2026_0001": "0.9", "CVE_2025_0009": "0.4"}])
def test_older_scores_that_are_lower_or_fewer_are_refused(world: World, scores: dict[str, str]) -> None:
    world.greta.ok("POST", "feeds", epss("2026-11-02", CVE_2026_0001="0.01", CVE_2025_0009="0.5"), status=201)
    assert world.greta.refused("POST", "feeds", epss("2026-11-01", **scores)) == REFUSED


def test_a_clock_that_went_back_brings_no_older_feed_back(world: World) -> None:
    clock = FixedClock(datetime(2026, 11, 3, tzinfo=UTC))
    feed(world.greta.actor, "kev", {**KEV, "dateReleased": "2026-11-01T17:00:00Z"}, clock=clock)
    clock.advance(timedelta(hours=-1))
    newer = feed(world.greta.actor, "kev", {**KEV, "dateReleased": "2026-11-02T17:00:00Z"}, clock=clock)
    assert counts(world, "kev")["id"] == str(newer.pk)


def test_a_feed_is_kept_with_its_entries(world: World) -> None:
    made = world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    assert (made["entries"], made["publishedAt"]) == (2, "2026-11-01T17:00:00.000Z")
    assert FeedEntry.objects.count() == 2
    packed = base64.b64encode(gzip.compress(EPSS)).decode()
    world.greta.ok("POST", "feeds", {"kind": "epss", "documentBase64": packed}, status=201)
    assert FeedEntry.objects.get(cve="CVE-2026-0001", feed__kind="epss").score == 0.91234


def test_an_older_feed_does_not_replace_a_newer_one(world: World) -> None:
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    older = {**KEV, "dateReleased": "2026-10-31T17:00:00Z"}
    refused = world.greta.refused("POST", "feeds", {"kind": "kev", "document": json.dumps(older)})
    assert refused == (409, "RES_STATE_CONFLICT")


def test_the_same_feed_again_is_the_one_that_is_there(world: World) -> None:
    sent = {"kind": "kev", "document": json.dumps(KEV)}
    one = world.greta.ok("POST", "feeds", sent, status=201)
    assert world.greta.ok("POST", "feeds", sent, status=201)["id"] == one["id"]
    assert Feed.objects.count() == 1


def test_a_catalogue_that_lists_less_is_a_weakening_edit(world: World) -> None:
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    shorter = {**KEV, "dateReleased": "2026-11-02T17:00:00Z", "count": 1, "vulnerabilities": KEV["vulnerabilities"][1:]}
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(shorter)}, status=201)
    assert "CVE-2026-0001" in WeakeningEdit.objects.latest("at").what
    assert FeedEntry.objects.count() == 1


def test_a_feed_of_the_future_is_refused(world: World) -> None:
    early = {**KEV, "dateReleased": "2126-11-02T17:00:00Z"}
    refused = world.greta.refused("POST", "feeds", {"kind": "kev", "document": json.dumps(early)})
    assert refused == (422, "EVD_INVALID_DOCUMENT")


def test_who_requests_promotions_brings_in_no_feeds(world: World) -> None:
    sent = {"kind": "kev", "document": json.dumps(KEV)}
    assert world.tomas.refused("POST", "feeds", sent) == (403, "PERM_DENIED")


def test_feeds_of_another_tenant_do_not_exist(world: World, stranger: World) -> None:
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    assert stranger.greta.get("feeds")["data"] == []
