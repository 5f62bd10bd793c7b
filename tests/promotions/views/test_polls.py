"""Pages that refresh themselves know from the start what they show."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import Promotion
from promotions.reading.queries import components_of
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.promotions.formats.samples import cyclonedx
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.uploads import uploaded

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("act", ["", "/replay", "/verify", "/approve"])
def test_whatever_shows_the_promotion_gives_the_tag_that_its_next_poll_gets_304_for(kestrel: Kestrel, act: str) -> None:
    """An answer, and what was typed into a refused form, would else be gone with the first poll."""
    promotion = kestrel.approved_for_production()
    client, path = client_of(kestrel, "approver"), f"/promotions/{promotion.pk}"
    answer = client.post(f"{path}{act}", {"subject_digest": promotion.subject_digest}) if act else client.get(path)
    tag = re.search(r'data-poll="([^"]+)"', answer.content.decode())
    assert tag is not None, answer.status_code
    assert client.get(path, headers={"If-None-Match": unescape(tag[1])}).status_code == 304


@pytest.mark.parametrize("path", ["/", "/approvals", "/approvals?tab=mine", "/environments"])
def test_a_list_knows_its_tag_from_the_start(kestrel: Kestrel, path: str) -> None:
    client = client_of(kestrel, "approver")
    tag = re.search(r'data-poll="([^"]+)"', client.get(path).content.decode())
    assert tag is not None
    assert client.get(path, headers={"If-None-Match": unescape(tag[1])}).status_code == 304


def a_document_came(kestrel: Kestrel, promotion: Promotion) -> None:
    artifact = components_of(promotion.release_id)[0]["digest"]
    uploaded(kestrel["operator"], artifact, "sbom", cyclonedx(), clock=kestrel.clock)


def a_voter_was_renamed(kestrel: Kestrel, promotion: Promotion) -> None:
    change_display_name(by=kestrel["second"], clock=kestrel.clock, display_name="Mei Tanaka")


def the_target_was_renamed(kestrel: Kestrel, promotion: Promotion) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"display_name": "Live"},
    )


def the_reader_lost_the_right_to_vote(kestrel: Kestrel, promotion: Promotion) -> None:
    reader = kestrel["approver"].account
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=reader, role="approver", reason="Moved")
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=reader, role="viewer")


def somebody_approved(kestrel: Kestrel, promotion: Promotion) -> None:
    kestrel.approves("second", promotion)


@pytest.mark.parametrize(
    "change",
    [
        a_document_came,
        a_voter_was_renamed,
        the_target_was_renamed,
        the_reader_lost_the_right_to_vote,
        somebody_approved,
    ],
    ids=lambda each: each.__name__,
)
def test_the_page_of_a_promotion_is_shown_anew_after_a_change(
    kestrel: Kestrel, change: Callable[[Kestrel, Promotion], None]
) -> None:
    promotion = kestrel.waits_for_production()
    client, path = client_of(kestrel, "approver"), f"/promotions/{promotion.pk}"
    seen = client.get(path)["ETag"]
    assert client.get(path, headers={"If-None-Match": seen}).status_code == 304
    kestrel.wait()
    change(kestrel, promotion)
    assert client.get(path, headers={"If-None-Match": seen}).status_code == 200
