"""Pages that refresh themselves know from the start what they show."""

import re
from html import unescape

import pytest

from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel(now=True)


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
