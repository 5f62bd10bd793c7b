"""What a page does not show: what another tenant has, what the reader may not see, and strange addresses."""

import pytest
from django.test import Client

from tests.factories import make_person, make_ready_tenant
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text


def test_pages_of_another_tenant_do_not_exist(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    other = make_ready_tenant("elsewhere")
    client = Client()
    client.force_login(make_person(other, "outsider", roles=["approver", "operator"]))
    text(client, f"/promotions/{promotion.pk}", 404)
    text(client, f"/releases/{promotion.release_id}", 404)
    assert promotion.release.name not in text(client, "/promotions")


STRANGE = [
    "/?x=1",
    "/approvals?tab=nonsense",
    "/promotions?status=nonsense",
    "/promotions?before=0",
    "/promotions?before=abc",
    "/promotions?release=%00",
    "/promotions?change_ref=%00",
    "/promotions?change_type=nonsense",
    "/promotions/new?again=abc",
    "/promotions/new?release=abc",
    "/promotions/new?cursor=abc",
    "/promotions/new?name=%00",
    "/releases?cursor=abc",
    "/releases?name=%00",
    "/audit?before=abc",
    "/audit?action=%00",
]


@pytest.mark.parametrize("path", STRANGE)
def test_a_strange_address_is_answered_and_never_an_error_of_ours(kestrel: Kestrel, path: str) -> None:
    for who in ("requester", "auditor"):
        assert client_of(kestrel, who).get(path).status_code in (200, 400, 403, 404), path


@pytest.mark.parametrize("act", ["approve", "reject", "withdraw", "cancel", "evaluate", "evidence"])
@pytest.mark.parametrize("typed", ["all of it", "nothing"])
def test_who_may_see_no_promotions_is_shown_none_by_a_refused_act(kestrel: Kestrel, act: str, typed: str) -> None:
    promotion = kestrel.waits_for_production()
    client = Client()
    client.force_login(make_person(kestrel.tenant, "nobody-yet"))
    form = {"subject_digest": promotion.subject_digest, "comment": "", "reason": "?"} if typed == "all of it" else {}
    answer = client.post(f"/promotions/{promotion.pk}/{act}", form, follow=True)
    assert answer.status_code == 403
    assert promotion.release.name not in answer.content.decode()


@pytest.mark.parametrize("act", ["finalize", "deprecate", "archive", "evidence"])
@pytest.mark.parametrize("reason", ["A hole", ""])
def test_who_may_see_no_releases_is_shown_none_by_a_refused_act(kestrel: Kestrel, act: str, reason: str) -> None:
    release = kestrel.release()
    client = Client()
    client.force_login(make_person(kestrel.tenant, "nobody-yet"))
    answer = client.post(f"/releases/{release.pk}/{act}", {"reason": reason})
    assert answer.status_code == 403
    assert release.name not in answer.content.decode()
