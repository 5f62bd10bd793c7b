"""Pages of promotions: who sees which button, forms that vote, and how many statements a page costs."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.models import ApprovalPolicy
from promotions.actions.cancel import cancel
from promotions.actions.releases import deprecate_release
from promotions.actions.request_promotion import PromotionRequest, preview_promotion, request_promotion
from promotions.models import Promotion, Release, Vote
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import ProductError
from tests.factories import (
    make_approval_policy,
    make_environment,
    make_person,
    make_promotion_policy,
    make_ready_tenant,
)
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel(now=True)


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content.decode()[:2000]
    return answer.content.decode()


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("requester", "You requested this promotion, so somebody else must decide on it."),
        ("builder", "Builder created the release."),
        ("admin", "This needs the right promotion:approve"),
        ("auditor", "This needs the right promotion:approve"),
    ],
)
def test_a_button_somebody_may_not_use_is_disabled_with_their_own_reason(
    kestrel: Kestrel, who: str, reason: str
) -> None:
    promotion = kestrel.waits_for_production()
    shown = text(client_of(kestrel, who), f"/promotions/{promotion.pk}")
    assert reason in shown
    assert 'aria-disabled="true"' in shown


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("auditor", "This needs the right promotion:cancel"),
        ("operator", "Only the person who requested this promotion, or an administrator, may cancel it."),
    ],
)
def test_who_may_not_cancel_is_offered_no_form_and_told_why(kestrel: Kestrel, who: str, reason: str) -> None:
    path = f"/promotions/{kestrel.waits_for_production().pk}"
    shown = text(client_of(kestrel, who), path)
    assert re.search(rf'aria-disabled="true"[^>]*>Cancel the request</button>\s*<span[^>]*>{reason}', shown)
    assert f'action="{path}/cancel"' not in shown
    assert f'action="{path}/cancel"' in text(client_of(kestrel, "requester"), path)


def test_judge_again_looks_like_the_other_buttons(kestrel: Kestrel) -> None:
    shown = text(client_of(kestrel, "requester"), f"/promotions/{kestrel.waits_for_production().pk}")
    assert re.search(r'<button type="submit" class="btn">Judge again</button>', shown)


def test_who_may_vote_sees_both_buttons(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    shown = text(client_of(kestrel, "approver"), f"/promotions/{promotion.pk}")
    assert "Reject …" in shown
    assert f'name="subject_digest" value="{promotion.subject_digest}"' in shown


def test_a_vote_by_form_counts_once_however_often_it_is_sent(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    client = client_of(kestrel, "approver")
    form = {"subject_digest": promotion.subject_digest, "comment": "Fine"}
    path = f"/promotions/{promotion.pk}/approve"
    assert client.post(path, form).status_code == 302
    again = client.post(path, form)
    assert again.status_code == 409
    assert "You have already approved this promotion." in again.content.decode()
    assert Vote.objects.filter(promotion=promotion).count() == 1


def test_a_vote_on_a_page_that_is_out_of_date_shows_what_changed_and_stores_nothing(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.deploys(kestrel.approved_for_production())
    answer = client_of(kestrel, "approver").post(
        f"/promotions/{promotion.pk}/approve", {"subject_digest": promotion.subject_digest}
    )
    assert answer.status_code == 412
    shown = answer.content.decode()
    assert "The promotion has changed since you looked at it" in shown
    assert '<a href="#diff-title"><mark>the release that runs in the target</mark></a>' in shown
    assert (
        "changed: the release that runs in the target" in shown.partition('id="diff-title"')[2].partition("</div>")[0]
    )
    now = Promotion.objects.get(pk=promotion.pk)
    assert now.subject_digest != promotion.subject_digest
    vote = shown.partition('id="vote">')[2].partition("</form>")[0]
    assert f'name="subject_digest" value="{now.subject_digest}"' in vote
    assert not Vote.objects.filter(promotion=promotion).exists()


def test_a_form_without_the_digest_of_what_was_seen_votes_nothing(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    answer = client_of(kestrel, "approver").post(f"/promotions/{promotion.pk}/approve", {"comment": "Fine"})
    assert answer.status_code == 400
    assert not Vote.objects.filter(promotion=promotion).exists()


def test_the_inbox_holds_what_waits_for_this_person(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert f"/promotions/{promotion.pk}" in text(client_of(kestrel, "approver"), "/approvals")
    assert f"/promotions/{promotion.pk}" not in text(client_of(kestrel, "requester"), "/approvals")
    assert f"/promotions/{promotion.pk}" in text(client_of(kestrel, "requester"), "/approvals?tab=mine")
    assert f"/promotions/{promotion.pk}" in text(client_of(kestrel, "viewer"), "/approvals?tab=open")


def test_the_open_list_is_the_snapshot_of_who_may_vote(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    promotion.refresh_from_db()
    names = set(User.objects.filter(pk__in=promotion.open_voters).values_list("username", flat=True))
    for who in kestrel.actors:
        listed = f"/promotions/{promotion.pk}" in text(client_of(kestrel, who), "/approvals")
        assert listed == (who in names), who
    assert names == {"approver", "third"}


def test_what_waits_for_the_reader_says_so_to_the_reader(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    path = f"/promotions/{promotion.pk}"
    mine = text(client_of(kestrel, "approver"), path)
    assert "Waiting for you: 1 more approval for release (you or Third can approve)." in mine
    assert "Approved so far by Second." in mine
    theirs = text(client_of(kestrel, "requester"), path)
    assert "Waiting for 1 more approval for release (approver or third can approve)." in theirs
    for who, told in (("approver", True), ("third", True), ("second", False), ("requester", False)):
        assert ("waits for you<" in text(client_of(kestrel, who), "/")) == told, who


def test_a_request_by_form_leads_to_its_page(kestrel: Kestrel) -> None:
    release = kestrel.reaches_staging()
    client = client_of(kestrel, "requester")
    path = f"/promotions/new?release={release.pk}&target={kestrel.production.pk}"
    assert "Waiting for 2 more approvals" in text(client, path)
    answer = client.post(path, {"reason": "Wanted", "change_ref": "CHG-1"})
    promotion = Promotion.objects.get(release=release, target_environment=kestrel.production)
    assert answer["Location"] == f"/promotions/{promotion.pk}"
    assert promotion.change == {"ref": "CHG-1", "url": None, "type": None, "backout": None}


def test_a_target_out_of_order_is_listed_with_the_reason(kestrel: Kestrel) -> None:
    release = kestrel.release()
    shown = text(client_of(kestrel, "requester"), f"/promotions/new?release={release.pk}")
    assert "must be deployed in Staging before it may enter Production" in shown


def test_a_request_that_is_in_the_way_is_a_link(kestrel: Kestrel) -> None:
    waiting = kestrel.waits_for_production()
    client = client_of(kestrel, "requester")
    path = f"/promotions/new?release={waiting.release_id}"
    link = f'<a href="/promotions/{waiting.pk}">Open promotion #{waiting.number}</a>'
    assert link in text(client, path)
    chosen = f"{path}&target={kestrel.production.pk}"
    assert text(client, chosen).count(link) == 2
    refused = client.post(chosen, {"reason": "Again"})
    assert refused.status_code == 409
    assert link in refused.content.decode().partition('class="error-summary"')[2].partition("</div>")[0]
    assert "Open promotion" not in text(client, f"/promotions/new?release={kestrel.release().pk}")


@pytest.mark.parametrize("path", ["/approvals?tab=open", "/promotions", "release", "/policies", "approval policy"])
def test_every_page_calls_an_environment_by_its_display_name(kestrel: Kestrel, path: str) -> None:
    waiting = kestrel.waits_for_production()
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"display_name": "Rehearsal"},
    )
    policy = ApprovalPolicy.objects.get(name="two-person")
    pages = {
        "release": f"/releases/{waiting.release_id}",
        "approval policy": reverse("approval_policy", args=[policy.pk]),
    }
    shown = text(client_of(kestrel, "admin"), pages.get(path, path))
    called = re.findall(r"<bdi>(Dev|dev|Rehearsal|staging|Production|production)</bdi>", shown)
    assert called
    assert set(called) <= {"Dev", "Rehearsal", "Production"}
    if "Rehearsal" in called:
        assert '<bdi>Rehearsal</bdi> <span class="muted small mono">staging</span>' in shown


def test_the_targets_cost_the_same_however_many_they_are(
    kestrel: Kestrel, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    release = kestrel.reaches_staging()
    client = client_of(kestrel, "requester")
    path = f"/promotions/new?release={release.pk}"
    client.get(path)
    with CaptureQueriesContext(connection) as before:
        client.get(path)
    for place in range(10, 20):
        make_environment(kestrel["admin"], f"more-{place}", place, clock=kestrel.clock)
    with django_assert_num_queries(len(before)):
        client.get(path)


def refused_preview(kestrel: Kestrel, release: Release, target: Environment) -> str:
    try:
        preview_promotion(PromotionRequest(release.pk, target.pk, "?"), by=kestrel["requester"], clock=kestrel.clock)
    except ProductError as refusal:
        return refusal.message
    return ""


def test_what_the_targets_say_is_what_the_request_would_say(kestrel: Kestrel) -> None:
    old, new = kestrel.release(), kestrel.release()
    kestrel.deploys(kestrel.ask(old, kestrel.dev))
    kestrel.deploys(kestrel.ask(new, kestrel.dev))
    kestrel.ask(new, kestrel.staging)
    deprecated = kestrel.release()
    for release in (old, deprecated):
        deprecate_release(release.pk, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    for release in (old, new, deprecated, kestrel.release(finalize=False)):
        shown = text(client_of(kestrel, "requester"), f"/promotions/new?release={release.pk}")
        for target in (kestrel.dev, kestrel.staging, kestrel.production):
            offered = f"?release={release.pk}&amp;target={target.pk}" in shown
            reason = refused_preview(kestrel, release, target)
            assert offered is (reason == "")
            assert escape(reason) in shown


def test_pages_of_another_tenant_do_not_exist(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    other = make_ready_tenant("elsewhere")
    client = Client()
    client.force_login(make_person(other, "outsider", roles=["approver", "operator"]))
    text(client, f"/promotions/{promotion.pk}", 404)
    text(client, f"/releases/{promotion.release_id}", 404)
    assert promotion.release.name not in text(client, "/promotions")


@pytest.mark.parametrize(
    ("path", "statements"),
    [
        ("/", 19),
        ("/approvals", 8),
        ("/promotions", 8),
        ("/releases", 6),
    ],
)
def test_a_list_costs_the_same_however_long_it_is(
    kestrel: Kestrel, path: str, statements: int, django_assert_max_num_queries: Callable[..., object]
) -> None:
    client = client_of(kestrel, "approver")
    kestrel.waits_for_production()
    client.get(path)
    with django_assert_max_num_queries(statements) as few:  # type: ignore[attr-defined]
        client.get(path)
    for _ in range(3):
        kestrel.waits_for_production()
    with django_assert_max_num_queries(statements) as many:  # type: ignore[attr-defined]
        client.get(path)
    assert len(few) == len(many)


@pytest.mark.parametrize("path", ["/", "/approvals", "/promotions"])
def test_a_list_reads_no_whole_promotions(kestrel: Kestrel, path: str) -> None:
    """What was asked of each is the widest of their columns, and no list shows it."""
    client = client_of(kestrel, "approver")
    kestrel.waits_for_production()
    with CaptureQueriesContext(connection) as statements:
        client.get(path)
    read = [each["sql"] for each in statements if '"promotions_promotion"."number"' in each["sql"]]
    assert read
    assert [sql for sql in read if '"requirements"' in sql] == []


@pytest.mark.parametrize("path", ["/", "/approvals"])
def test_what_waits_is_counted_once_for_page_and_navigation(kestrel: Kestrel, path: str) -> None:
    client = client_of(kestrel, "approver")
    kestrel.waits_for_production()
    with CaptureQueriesContext(connection) as statements:
        shown = text(client, path)
    assert 'id="approvals-waiting">1<' in shown
    assert sum("COUNT(*)" in each["sql"] and "open_voters" in each["sql"] for each in statements) == 1


def test_the_promotion_page_costs_the_same_however_much_happened(
    kestrel: Kestrel, django_assert_max_num_queries: Callable[..., object]
) -> None:
    promotion = kestrel.waits_for_production()
    client = client_of(kestrel, "auditor")
    client.get(f"/promotions/{promotion.pk}")
    with django_assert_max_num_queries(19) as few:  # type: ignore[attr-defined]
        client.get(f"/promotions/{promotion.pk}")
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    with django_assert_max_num_queries(19) as many:  # type: ignore[attr-defined]
        client.get(f"/promotions/{promotion.pk}")
    assert len(many) <= len(few) + 1


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


def test_a_refused_vote_on_the_page_is_audited(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    path = f"/promotions/{promotion.pk}/approve"
    answer = client_of(kestrel, "requester").post(path, {"subject_digest": promotion.subject_digest, "comment": ""})
    assert answer.status_code == 403
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.resource_id, event.metadata["code"]) == (path, "PERM_SEPARATION_OF_DUTIES")


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


@pytest.mark.parametrize("inline", [500, 3])
def test_who_is_the_last_of_many_who_may_confirm_gets_the_button(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch, inline: int
) -> None:
    monkeypatch.setattr("policies.facts.MOST_INLINE_CANDIDATES", inline)
    monkeypatch.setattr("policies.gates.people.MOST_LISTED", 3)
    crowd = [
        make_person(kestrel.tenant, f"witness-{n}", roles=["approver"], teams=["witnesses"], clock=kestrel.clock)
        for n in range(5)
    ]
    gate = {"name": "seen", "kind": "manual", "config": {"confirmers": {"teams": ["witnesses"]}, "text": "Seen"}}
    make_promotion_policy(kestrel["admin"], "witnessed", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "witnessed"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    client = Client()
    client.force_login(crowd[-1])
    shown = text(client, f"/promotions/{promotion.pk}")
    assert f'action="/promotions/{promotion.pk}/gates/seen/confirm"' in shown
    assert "The policy names other people or teams" not in shown


def test_authors_without_an_account_are_told_before_anybody_votes(kestrel: Kestrel) -> None:
    duties = {"excludeCommitAuthors": True}
    make_approval_policy(kestrel["admin"], "not-the-authors", clock=kestrel.clock, separationOfDuties=duties)
    changes = {"approval_policies": ["not-the-authors"]}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    release = kestrel.release(source_ref={"authors": ["builder", "external:<renovate>"]})
    shown = text(client_of(kestrel, "approver"), f"/promotions/{kestrel.ask(release, kestrel.dev).pk}")
    assert "people without an account here, by the word of the release: &lt;renovate&gt;." in shown


def test_a_comment_that_cannot_be_stored_is_shown_again_with_what_is_wrong_beside_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    form = {"subject_digest": promotion.subject_digest, "comment": "Fine\x07"}
    answer = client_of(kestrel, "approver").post(f"/promotions/{promotion.pk}/approve", form)
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="vote_comment_error"' in shown
    assert "This has a control character (U+0007) at position 5: remove it." in shown
    assert f'value="{promotion.subject_digest}"' in shown
    assert not Vote.objects.filter(promotion=promotion).exists()


def asks_for_words(kestrel: Kestrel) -> Promotion:
    """One whose policy wants a comment with every approval, and whose manual gate the third person confirms."""
    make_approval_policy(kestrel["admin"], "with-words", clock=kestrel.clock, commentRequired=True)
    gate = {"name": "seen", "kind": "manual", "config": {"confirmers": {"users": ["third"]}, "text": "Seen"}}
    make_promotion_policy(kestrel["admin"], "witnessed", clock=kestrel.clock, gates=[gate])
    changes = {"approval_policies": ["with-words"], "promotion_policy": "witnessed"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    return kestrel.ask(kestrel.release(), kestrel.dev)


def test_what_the_action_finds_wrong_stands_beside_the_field_of_the_vote(kestrel: Kestrel) -> None:
    promotion = asks_for_words(kestrel)
    form = {"subject_digest": promotion.subject_digest, "comment": " "}
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/approve", form)
    shown = answer.content.decode()
    assert answer.status_code == 400
    beside = shown.partition('id="vote_comment_error"')[2].partition("</div>")[0]
    assert "An approval policy of this promotion requires a comment." in beside
    assert 'href="#vote_comment"' in shown
    assert f'value="{promotion.subject_digest}"' in shown


def test_a_refused_confirmation_is_not_put_into_the_form_of_the_vote(kestrel: Kestrel) -> None:
    promotion = asks_for_words(kestrel)
    form = {"subject_digest": promotion.subject_digest, "comment": "Fine\x07"}
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/gates/seen/confirm", form)
    assert answer.status_code == 400
    assert "This has a control character" in answer.content.decode()
    assert "vote_comment_error" not in answer.content.decode()


def test_a_reject_without_a_reason_asks_for_it_on_the_page(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    form = {"subject_digest": promotion.subject_digest, "reason": " "}
    answer = client_of(kestrel, "approver").post(f"/promotions/{promotion.pk}/reject", form)
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="reject_reason_error"' in shown
    assert 'id="reject-dialog"' not in shown


def test_a_release_with_a_repository_too_long_is_refused_and_not_cut(kestrel: Kestrel) -> None:
    components = f"api registry.example/{'r' * 300} sha256:{'ab' * 32}"
    typed = {"name": "cut-1", "product": "main", "components": components, "finalize": "yes"}
    answer = client_of(kestrel, "operator").post("/releases", typed)
    assert answer.status_code == 400
    assert "Line 1, image repository: This is too long: use at most 255 characters." in answer.content.decode()
    assert not Release.objects.filter(name="cut-1").exists()


def test_a_release_whose_name_is_taken_says_so_beside_the_name(kestrel: Kestrel) -> None:
    name = kestrel.release().name
    typed = {"name": name, "product": "main", "components": f"api registry.example/api sha256:{'ab' * 32}"}
    answer = client_of(kestrel, "operator").post("/releases", typed)
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert f"There is a release named {name} already" in shown.partition('id="id_name_error"')[2].partition("</div>")[0]
    assert f"{typed['components']}</textarea>" in shown


def test_components_that_cannot_be_together_say_so_beside_them(kestrel: Kestrel) -> None:
    component = f"api registry.example/api sha256:{'ab' * 32}"
    typed = {"name": "twice-1", "product": "main", "components": f"{component}\n{component}"}
    answer = client_of(kestrel, "operator").post("/releases", typed)
    assert answer.status_code == 400
    beside = answer.content.decode().partition('id="id_components_error"')[2].partition("</div>")[0]
    assert "api" in beside
    assert not Release.objects.filter(name="twice-1").exists()


def test_what_cannot_be_done_with_a_release_is_said_on_its_page(kestrel: Kestrel) -> None:
    release = kestrel.release(finalize=False)
    answer = client_of(kestrel, "operator").post(f"/releases/{release.pk}/deprecate", {"reason": "A hole"})
    assert answer.status_code == 409
    told = answer.content.decode().partition('class="error-summary"')[2].partition("</div>")[0]
    assert "only a finalized release can be deprecated" in told


def test_a_reason_that_cannot_be_stored_does_not_deprecate(kestrel: Kestrel) -> None:
    release = kestrel.release()
    answer = client_of(kestrel, "operator").post(f"/releases/{release.pk}/deprecate", {"reason": "a hole\u202e"})
    assert answer.status_code == 400
    assert 'id="id_reason_error"' in answer.content.decode()
    release.refresh_from_db()
    assert release.status == "finalized"


CHANGE = {
    "ref": "INC-7",
    "url": "https://changes.example/INC-7",
    "type": "emergency",
    "backout": "Route back to blue.",
}


def asked_with_change(kestrel: Kestrel) -> Promotion:
    release = kestrel.release()
    kestrel.wait()
    promotion_request = PromotionRequest(release.pk, kestrel.dev.pk, "Payments are down", CHANGE)
    return request_promotion(promotion_request, by=kestrel["requester"], clock=kestrel.clock)


def test_the_whole_change_is_on_the_page(kestrel: Kestrel) -> None:
    promotion = asked_with_change(kestrel)
    shown = text(client_of(kestrel, "viewer"), f"/promotions/{promotion.pk}")
    assert "Emergency change" in shown
    assert 'href="/promotions?change_ref=INC-7"' in shown
    assert 'href="https://changes.example/INC-7" rel="noopener noreferrer"' in shown
    assert "Route back to blue." in shown


def test_an_emergency_is_seen_in_every_list(kestrel: Kestrel) -> None:
    asked_with_change(kestrel)
    for path in ("/", "/promotions", "/approvals?tab=open"):
        assert "Emergency change" in text(client_of(kestrel, "viewer"), path).replace("Emergency change</option>", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("change_ref=INC-7", True),
        ("change_ref=INC-8", False),
        ("change_type=emergency", True),
        ("change_type=emergency&status=approved&change_ref=INC-7", True),
        ("change_type=normal", False),
    ],
)
def test_the_list_is_filtered_by_change(kestrel: Kestrel, query: str, found: bool) -> None:
    promotion = asked_with_change(kestrel)
    shown = text(client_of(kestrel, "viewer"), f"/promotions?{query}")
    assert (f"/promotions/{promotion.pk}" in shown) is found


def test_a_request_by_form_carries_the_whole_change(kestrel: Kestrel) -> None:
    release = kestrel.release()
    path = f"/promotions/new?release={release.pk}&target={kestrel.dev.pk}"
    typed = {"reason": "Down", **{f"change_{name}": value for name, value in CHANGE.items()}}
    refused = client_of(kestrel, "requester").post(path, {**typed, "change_url": "javascript:alert(1)"})
    assert refused.status_code == 400
    assert 'id="id_change_url_error"' in refused.content.decode()
    assert client_of(kestrel, "requester").post(path, typed).status_code == 302
    assert Promotion.objects.get(release=release).change == CHANGE


def test_request_again_brings_the_reason_and_the_change_along(kestrel: Kestrel) -> None:
    promotion = asked_with_change(kestrel)
    cancel(promotion.pk, by=kestrel["requester"], reason="Not now", clock=kestrel.clock)
    client = client_of(kestrel, "requester")
    again = f"/promotions/new?release={promotion.release_id}&target={kestrel.dev.pk}&again={promotion.pk}"
    assert escape(again) in text(client, f"/promotions/{promotion.pk}")
    shown = text(client, again)
    assert "Payments are down</textarea>" in shown
    assert 'value="INC-7"' in shown
    assert 'value="emergency" selected' in shown
    assert 'value="https://changes.example/INC-7"' in shown
    assert "Route back to blue.</textarea>" in shown


def test_another_tenant_s_request_is_not_asked_again(kestrel: Kestrel) -> None:
    promotion = asked_with_change(kestrel)
    client = Client()
    client.force_login(make_person(make_ready_tenant("elsewhere"), "outsider", roles=["operator"]))
    text(client, f"/promotions/new?again={promotion.pk}", 404)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promotions.pages.releases.PAGE", 2)


def links(shown: str, *releases: Release) -> list[bool]:
    return [f"<bdi>{release.name}</bdi></a>" in shown for release in releases]


@pytest.mark.parametrize("path", ["/releases", "/promotions/new"])
def test_older_releases_are_pages_away(kestrel: Kestrel, small_pages: None, path: str) -> None:
    first, second, third = kestrel.release(), kestrel.release(), kestrel.release()
    client = client_of(kestrel, "requester")
    newest = text(client, path)
    assert links(newest, first, second, third) == [False, True, True]
    [older] = re.findall(r'rel="next" href="([^"]+)"', newest)
    page = text(client, path + unescape(older))
    assert links(page, first, second, third) == [True, False, False]
    [newer] = re.findall(r'rel="prev" href="([^"]+)"', page)
    assert links(text(client, path + unescape(newer)), first, second, third) == [False, True, True]


@pytest.mark.parametrize("path", ["/releases", "/promotions/new"])
def test_releases_are_found_by_a_part_of_their_name(kestrel: Kestrel, small_pages: None, path: str) -> None:
    named = [kestrel.release(name=f"Payments-{number}") for number in range(3)]
    other = kestrel.release()
    client = client_of(kestrel, "requester")
    shown = text(client, f"{path}?name=payMENTS")
    assert links(shown, *named, other) == [False, True, True, False]
    [older] = re.findall(r'rel="next" href="([^"]+)"', shown)
    assert links(text(client, path + unescape(older)), *named, other) == [True, False, False, False]
    assert "No release of that name" in text(client, f"{path}?name=nothing")


def test_a_deprecated_release_is_offered_where_it_was_deployed_and_can_be_gone_back_to(kestrel: Kestrel) -> None:
    old, new, never = kestrel.release(), kestrel.release(), kestrel.release()
    for release in (old, new):
        kestrel.deploys(kestrel.ask(release, kestrel.dev))
    for release in (old, never):
        deprecate_release(release.pk, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    client = client_of(kestrel, "requester")
    assert links(text(client, "/promotions/new"), old, new, never) == [True, True, False]
    assert f"/promotions/new?release={old.pk}" in text(client, f"/releases/{old.pk}")
    assert f"/promotions/new?release={never.pk}" not in text(client, f"/releases/{never.pk}")
    path = f"/promotions/new?release={old.pk}&target={kestrel.dev.pk}"
    assert client.post(path, {"reason": "The new one is broken"}).status_code == 302
    assert Promotion.objects.filter(release=old, is_rollback=True).exists()


def test_a_release_of_another_tenant_is_found_by_no_name(kestrel: Kestrel) -> None:
    release = kestrel.release()
    client = Client()
    client.force_login(make_person(make_ready_tenant("elsewhere"), "outsider", roles=["operator"]))
    for path in ("/releases", "/promotions/new"):
        assert links(text(client, f"{path}?name={release.name}"), release) == [False]


def voted(client: Client, promotion: Promotion) -> str:
    form = {"subject_digest": promotion.subject_digest, "comment": ""}
    return client.post(f"/promotions/{promotion.pk}/approve", form, follow=True).content.decode()


def test_after_a_vote_the_oldest_that_still_waits_is_one_click_away(kestrel: Kestrel) -> None:
    first, second, third = (kestrel.waits_for_production() for _ in range(3))
    client = client_of(kestrel, "approver")
    shown = voted(client, second)
    assert "Your approval is stored. 1 of 2. 2 more wait for you." in shown
    assert f'<a href="/promotions/{first.pk}"><bdi>Next: #{first.number} {first.release.name} into Production' in shown
    shown = voted(client, first)
    assert f'<a href="/promotions/{third.pk}"><bdi>Next: #{third.number}' in shown
    assert "Nothing else waits for you." in voted(client, third)


def test_a_name_in_the_message_after_a_vote_is_text(kestrel: Kestrel) -> None:
    changes = {"display_name": "<b>Prod</b>"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    kestrel.waits_for_production()
    shown = voted(client_of(kestrel, "approver"), kestrel.waits_for_production())
    assert "into &lt;b&gt;Prod&lt;/b&gt;" in shown
    assert "<b>Prod</b>" not in shown


def test_who_may_not_reject_sees_the_button_with_the_reason(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    shown = text(client_of(kestrel, "requester"), f"/promotions/{promotion.pk}")
    [button] = re.findall(r'<button[^>]*aria-disabled="true" aria-describedby="([^"]*)">Reject …', shown)
    assert f'id="{button}">You requested this promotion' in shown
    assert "reject-dialog" not in shown


def test_who_asks_for_an_earlier_release_is_told_that_it_goes_back(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "requester")

    def asked(release: Release, target: Environment) -> str:
        return text(client, f"/promotions/new?release={release.pk}&target={target.pk}")

    older, newer = kestrel.release(name="older"), kestrel.release(name="newer")
    first = kestrel.reaches_staging(name="first")
    assert "This goes back" not in asked(kestrel.release(), kestrel.dev)
    assert "This goes back: Dev runs first, which is newer than this release." in asked(older, kestrel.dev)
    kestrel.deploys(kestrel.ask(newer, kestrel.dev))
    assert "This goes back: Dev has run this release before and runs newer now." in asked(first, kestrel.dev)


def test_where_nobody_voted_that_is_said(kestrel: Kestrel) -> None:
    nobody_had_to = kestrel.ask(kestrel.release(), kestrel.dev)
    cancelled = kestrel.waits_for_production()
    viewer = client_of(kestrel, "viewer")
    assert "Nobody voted." not in text(viewer, f"/promotions/{cancelled.pk}")
    cancel(cancelled.pk, by=kestrel["requester"], reason="Another one.", clock=kestrel.clock)
    for promotion in (nobody_had_to, cancelled):
        assert "Nobody voted." in text(viewer, f"/promotions/{promotion.pk}")
    assert "Nobody voted." not in text(viewer, f"/promotions/{kestrel.approved_for_production().pk}")


def test_the_timeline_says_approved_by_nobody_where_nobody_had_to(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    shown = re.sub(r"<[^>]+>|\s+", " ", text(client_of(kestrel, "viewer"), f"/promotions/{promotion.pk}"))
    timeline = re.sub(r"\s+", " ", shown[shown.index("Timeline") :])
    assert "Approved · No gate blocks it, and it needs no approval." in timeline
    assert timeline.count("by Requester (requester)") == 1
