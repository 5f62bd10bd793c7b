"""Forms that vote: what counts, what is refused and stored nowhere, and what waits after it."""

from datetime import timedelta

from django.test import Client

from environments.actions.update_environment import update_environment
from promotions.models import Promotion, Vote
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.models import PersonSession
from tests.factories import PASSWORD, make_approval_policy, make_promotion_policy
from tests.promotions.kestrel import Kestrel, client_of


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


def test_a_refused_vote_on_the_page_is_audited(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    path = f"/promotions/{promotion.pk}/approve"
    answer = client_of(kestrel, "requester").post(path, {"subject_digest": promotion.subject_digest, "comment": ""})
    assert answer.status_code == 403
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.resource_id, event.metadata["code"]) == (path, "PERM_SEPARATION_OF_DUTIES")


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


def test_signing_in_casts_no_vote_that_was_sent_after_the_session_timed_out(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    client, path = client_of(kestrel, "approver"), f"/promotions/{promotion.pk}/approve"
    person = User.objects.get(pk=kestrel["approver"].user_id)
    person.set_password(PASSWORD)
    person.save()
    PersonSession.objects.update(last_seen_at=DATABASE_CLOCK.now() - timedelta(hours=1))
    late = client.post(path, {"subject_digest": promotion.subject_digest, "comment": "Read and tested"})
    kept = late.text.partition('name="kept" value="')[2].partition('"')[0]
    data = {"login": person.username, "password": PASSWORD, "next": path, "kept": kept}
    assert client.post("/accounts/login", data)["Location"] == path
    again = client.get(path)
    vote = again.text.partition('id="vote">')[2].partition("</form>")[0]
    assert "Read and tested" in vote
    assert f'name="subject_digest" value="{promotion.subject_digest}"' in vote
    assert not Vote.objects.filter(promotion=promotion).exists()
    client.post(path, {"subject_digest": promotion.subject_digest, "comment": "Read and tested"})
    assert Vote.objects.get(promotion=promotion).comment == "Read and tested"
