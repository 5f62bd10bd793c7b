"""The page of one promotion: what it says, and who is offered which button."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from promotions.actions.cancel import cancel
from tests.factories import make_approval_policy, make_person, make_promotion_policy
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text


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


def test_who_may_not_reject_sees_the_button_with_the_reason(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    shown = text(client_of(kestrel, "requester"), f"/promotions/{promotion.pk}")
    [button] = re.findall(r'<button[^>]*aria-disabled="true" aria-describedby="([^"]*)">Reject …', shown)
    assert f'id="{button}">You requested this promotion' in shown
    assert "reject-dialog" not in shown


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


def test_the_timeline_shows_the_run_that_deploys(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", run_id="ci <7>")
    assert "<bdi>ci &lt;7&gt;</bdi>" in text(client_of(kestrel, "viewer"), f"/promotions/{promotion.pk}")
