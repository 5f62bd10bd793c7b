"""A blind approval policy: who is shown the votes of a promotion, and that nothing tells the others (domain.md §5)."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver

from environments.actions.update_environment import update_environment
from policies.actions.save_draft import save_draft
from promotions.actions.cancel import cancel
from promotions.actions.confirm import confirm
from promotions.actions.evaluate import evaluate
from promotions.actions.start_check import Blocked
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.admin import OutboxEventAdmin
from promotions.blindness import VOTES_HIDDEN, BlindToVotes, blind_to, can_see_votes, check_can_see_votes
from promotions.models import Confirmation, DecisionRecord, OutboxEvent, Promotion, Vote
from promotions.queries import current_record
from promotions.scene import stored_requirements
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.identity.actions.end_role import end_role
from tests.factories import actor_of, make_approval_policy, make_person, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

SAID = "Unmistakable words of a voter"
CHECKED = "Unmistakable words of a confirmer"
TELLTALE = "The policy saw quillon"
NAMES = ("quillon", "zephyrine")

# A manual gate, and a policy as code that says who has voted.
GATES = [
    {
        "name": "backup",
        "kind": "manual",
        "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked", "minConfirmations": 2},
    },
    {
        "name": "team-rule",
        "kind": "policy",
        "config": {
            "text": "size(people.votes) == 0 ? {'allow': true} : {'allow': true, 'warn': [{'code': 'LOOKED_AT', "
            "'message': 'The policy saw ' + people.votes[0].username}]}",
            "timeoutMs": 1000,
        },
    },
]

SEES = ("quillon", "auditor")
"""Who voted, and who holds audit:read."""
NOWHERE = "0197a000-0000-7000-8000-000000000000"

BLIND = ("approver", "second", "third", "requester", "builder", "operator", "viewer", "admin", "zephyrine")


def blinded(*, blind: bool = True) -> Kestrel:
    """Production needs one of team release and one of team security, and does not say who has voted."""
    kestrel = make_kestrel(now=True)
    for name in NAMES:
        user = make_person(kestrel.tenant, name, roles=["approver"], teams=["release"], clock=kestrel.clock)
        kestrel.actors[name] = actor_of(user, kestrel.tenant)
    kestrel.wait()
    make_approval_policy(
        kestrel["admin"],
        "blind",
        clock=kestrel.clock,
        rules=[{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"]}],
        blind=blind,
    )
    make_promotion_policy(kestrel["admin"], "watched", clock=kestrel.clock, gates=GATES)
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"approval_policies": ["blind"], "promotion_policy": "watched"},
    )
    return kestrel


@pytest.fixture
def kestrel() -> Kestrel:
    return blinded()


def hide(kestrel: Kestrel, *, blind: bool) -> None:
    update_approval_policy(
        by=kestrel["admin"],
        clock=kestrel.clock,
        policy_id=kestrel.production.approval_policies.get().pk,
        changes={"blind": blind},
    )


def half_way(kestrel: Kestrel) -> Promotion:
    """One of two approvals is given, and one of two confirmations."""
    promotion = kestrel.waits_for_production()
    kestrel.approves("quillon", promotion, comment=SAID)
    kestrel.wait()
    return confirm(promotion.pk, "backup", by=kestrel["zephyrine"], comment=CHECKED, clock=kestrel.clock)


def client_of(kestrel: Kestrel, who: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=kestrel[who].user_id))
    return client


def call(kestrel: Kestrel, who: str, path: str, **headers: Any) -> Any:
    return client_of(kestrel, who).get(f"/api/v1/promotions/{path}", headers=headers)


def post(kestrel: Kestrel, who: str, path: str, data: Any = None) -> Any:
    return client_of(kestrel, who).post(f"/api/v1/promotions/{path}", data or {}, content_type="application/json")


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


# What is blind and when


@pytest.mark.parametrize("who", [*SEES, *BLIND])
def test_the_rule_and_its_query_say_the_same(kestrel: Kestrel, who: str) -> None:
    promotion = half_way(kestrel)
    by = kestrel[who]
    assert can_see_votes(by, promotion) is (who in SEES)
    assert (promotion in blind_to(by)) is (who in BLIND)


def test_a_token_without_the_right_of_an_auditor_is_blind(kestrel: Kestrel) -> None:
    promotion, auditor = half_way(kestrel), kestrel["auditor"]
    narrowed = Actor(**{name: getattr(auditor, name) for name in auditor.__slots__} | {"scopes": frozenset()})
    assert can_see_votes(auditor, promotion)
    assert not can_see_votes(narrowed, promotion)


def test_of_other_promotions_everybody_sees_the_votes() -> None:
    kestrel = blinded(blind=False)
    promotion = half_way(kestrel)
    assert not promotion.blind
    assert [who for who in kestrel.actors if not can_see_votes(kestrel[who], promotion)] == []
    assert SAID in call(kestrel, "approver", f"{promotion.pk}/approvals").content.decode()
    assert SAID in client_of(kestrel, "approver").get(f"/promotions/{promotion.pk}").content.decode()


@pytest.mark.parametrize("ends", ["approved", "rejected", "cancelled"])
def test_when_it_takes_no_more_votes_everybody_sees_them(kestrel: Kestrel, ends: str) -> None:
    promotion = half_way(kestrel)
    if ends == "rejected":
        kestrel.rejects("second", promotion)
    elif ends == "cancelled":
        cancel(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    else:
        confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
        kestrel.approves("second", promotion)
    promotion.refresh_from_db()
    assert promotion.status == ends
    for who in BLIND:
        assert can_see_votes(kestrel[who], promotion), who
        assert promotion not in blind_to(kestrel[who])
        assert SAID in client_of(kestrel, who).get(f"/promotions/{promotion.pk}").content.decode(), who
        assert SAID in call(kestrel, who, f"{promotion.pk}/decision").content.decode(), who


def test_a_voter_sees_them_until_their_vote_is_withdrawn(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    kestrel.approves("second", promotion)
    assert SAID in call(kestrel, "second", f"{promotion.pk}").content.decode()
    answer = post(kestrel, "second", f"{promotion.pk}/withdraw-approval")
    assert answer.json()["votesHidden"] is True
    again = call(kestrel, "second", f"{promotion.pk}").json()
    assert again["votesHidden"] is True
    assert [(act["username"], act["status"]) for act in again["approvals"]] == [("second", "withdrawn")]
    assert promotion in blind_to(kestrel["second"])


def test_a_confirmation_is_no_vote(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    seen = call(kestrel, "zephyrine", f"{promotion.pk}").json()
    assert [act["comment"] for act in seen["approvals"]] == [CHECKED]


def test_when_votes_become_void_who_gave_them_is_blind_again(kestrel: Kestrel) -> None:
    promotion, other = half_way(kestrel), kestrel.waits_for_production()
    for who in ("approver", "third"):
        confirm(other.pk, "backup", by=kestrel[who], clock=kestrel.clock)
    kestrel.approves("approver", other)
    kestrel.deploys(kestrel.approves("second", other))
    promotion = evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert not Vote.objects.filter(promotion=promotion, ended_at=None).exists()
    kestrel.approves("third", promotion, comment="After the change")
    assert not can_see_votes(kestrel["quillon"], promotion)
    timeline = [event["action"] for event in call(kestrel, "quillon", f"{promotion.pk}").json()["timeline"]]
    assert timeline == ["promotion.requested", "approval.granted"]
    assert "After the change" not in client_of(kestrel, "quillon").get(f"/promotions/{promotion.pk}").content.decode()


def test_an_approved_one_that_takes_votes_again_is_blind_again(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("second", promotion)
    path = f"{promotion.pk}/evidence"
    assert SAID not in call(kestrel, "viewer", path).content.decode()
    assert call(kestrel, "viewer", path).status_code == 200
    withdraw_approval(promotion.pk, by=kestrel["second"], clock=kestrel.clock)
    assert code(call(kestrel, "viewer", path)) == (403, "PERM_BLIND")
    assert call(kestrel, "quillon", path).status_code == 200
    page = client_of(kestrel, "viewer").get(f"/promotions/{promotion.pk}")
    assert (page.context["packets"], "Quillon" in page.content.decode()) == ([], False)
    answer = client_of(kestrel, "viewer").post(f"/promotions/{promotion.pk}/verify")
    assert answer.status_code == 403


@pytest.mark.parametrize("blind", [[False], [True], [False, True]])
def test_the_column_repeats_the_snapshot(blind: list[bool]) -> None:
    kestrel = make_kestrel(now=True)
    names = [f"policy-{number}" for number, _ in enumerate(blind)]
    for name, value in zip(names, blind, strict=True):
        make_approval_policy(kestrel["admin"], name, clock=kestrel.clock, blind=value)
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"approval_policies": names},
    )
    promotion = kestrel.waits_for_production()
    assert Promotion.objects.get(pk=promotion.pk).blind is any(blind)
    assert [each["name"] for each in stored_requirements(promotion)["approvalPolicies"]] == names


@pytest.mark.parametrize("before", [True, False])
def test_a_later_edit_of_the_policy_changes_nothing(before: bool) -> None:
    kestrel = blinded(blind=before)
    promotion = half_way(kestrel)
    hide(kestrel, blind=not before)
    promotion = evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert can_see_votes(kestrel["approver"], promotion) is not before


def test_what_is_stored_is_the_same_whether_votes_are_hidden_or_not(kestrel: Kestrel) -> None:
    """The record of a blind promotion names its voters, and who may see it gets the stored bytes."""
    promotion = half_way(kestrel)
    stored = bytes(current_record(Promotion.objects.get(pk=promotion.pk)).document)
    assert [vote["username"] for vote in orjson.loads(stored)["approvals"]] == ["quillon"]
    assert call(kestrel, "quillon", f"{promotion.pk}/decision").content == stored


# Answers of the API


@pytest.mark.parametrize("path", ["approvals", "decision", "decisions"])
def test_what_cannot_be_told_without_votes_is_refused(kestrel: Kestrel, path: str) -> None:
    promotion = half_way(kestrel)
    for who in BLIND:
        assert code(call(kestrel, who, f"{promotion.pk}/{path}")) == (403, "PERM_BLIND"), who
    for who in SEES:
        assert SAID in call(kestrel, who, f"{promotion.pk}/{path}").content.decode(), who


def test_a_replay_and_an_evaluation_are_refused_before_they_do_anything(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    records = DecisionRecord.objects.count()
    for who in ("approver", "operator", "admin"):
        assert code(post(kestrel, who, f"{promotion.pk}/evaluate")) == (403, "PERM_BLIND")
        assert code(post(kestrel, who, f"{promotion.pk}/decision/replay")) == (403, "PERM_BLIND")
    assert (DecisionRecord.objects.count(), Promotion.objects.get(pk=promotion.pk).version) == (
        records,
        promotion.version,
    )
    assert post(kestrel, "quillon", f"{promotion.pk}/decision/replay").json()["equal"] is True


def test_an_evaluation_that_takes_an_approval_back_is_stored_and_not_told(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("second", promotion)
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["second"].account, role="approver")
    assert code(post(kestrel, "operator", f"{promotion.pk}/evaluate")) == (403, "PERM_BLIND")
    assert Promotion.objects.get(pk=promotion.pk).status == "awaiting_approval"


def test_the_detail_says_that_votes_are_hidden_and_counts_them(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    shown = call(kestrel, "approver", f"{promotion.pk}").json()
    assert shown["votesHidden"] is True
    assert (shown["decisionRecord"], shown["approvals"], shown["eligibleApprovers"]) == (None, [], [])
    assert shown["approvalCount"] == {"required": 2, "given": 1}
    assert [event["action"] for event in shown["timeline"]] == ["promotion.requested"]
    seen = call(kestrel, "quillon", f"{promotion.pk}").json()
    assert (seen["votesHidden"], seen["approvals"][0]["comment"]) == (False, SAID)
    assert seen["decisionRecord"]["sequence"] == seen["decision"]["sequence"]


def test_gates_that_tell_of_votes_say_so_and_keep_their_status(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    gates = {gate["name"]: gate for gate in call(kestrel, "approver", f"{promotion.pk}/gates").json()["data"]}
    hidden = {name for name, gate in gates.items() if VOTES_HIDDEN in gate["reasonCodes"]}
    assert hidden == {"backup", "team-rule", "approval"}
    for name in hidden:
        assert (gates[name]["whoCanAct"], gates[name]["changes"]) == ([], []), name
        assert {fact["kind"] for fact in gates[name]["facts"]} <= {"policy", "approval-policy"}, name
    assert gates["approval"]["details"] == {"required": 2, "given": 1}
    assert gates["approval"]["message"].startswith("1 of 2 approvals are given; by whom")
    assert gates["approval"]["reasonCodes"] == [VOTES_HIDDEN]
    assert gates["backup"]["details"] == {"text": "Backup checked", "minConfirmations": 2}
    assert (gates["team-rule"]["status"], gates["team-rule"]["reasonCodes"]) == ("warn", ["LOOKED_AT", VOTES_HIDDEN])
    assert gates["preconditions"]["details"]


def test_whoever_votes_is_told_with_the_answer(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    answer = post(kestrel, "second", f"{promotion.pk}/approve", {"comment": "Fine"}).json()
    assert answer["votesHidden"] is False
    assert TELLTALE in str(answer["decision"]["gates"])


def test_who_only_confirms_is_not_told_with_the_answer(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    answer = post(kestrel, "approver", f"{promotion.pk}/gates/backup/confirm").json()
    assert answer["votesHidden"] is True
    assert TELLTALE not in str(answer)


def test_a_refused_start_names_nobody(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("second", promotion)
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["second"].account, role="approver")
    with pytest.raises(Blocked) as refusal:
        kestrel.reports(promotion, "started")
    assert refusal.value.message.startswith("1 of 2 approvals are given; by whom")
    told = str(refusal.value.details)
    assert str(kestrel["quillon"].user_id) not in told
    assert str(kestrel["third"].user_id) not in told


def test_the_refusal_says_when_it_ends(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    with pytest.raises(BlindToVotes, match="to those who have voted, and to everybody when it takes no more votes"):
        check_can_see_votes(kestrel["approver"], promotion)


# Pages


def test_the_page_asks_for_a_vote_and_tells_of_none(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    page = client_of(kestrel, "third").get(f"/promotions/{promotion.pk}")
    shown = page.content.decode()
    assert "Voting is blind: who has voted" in shown
    assert "1 approval by team security" in shown
    assert "1 of 2 approvals are given; by whom" in shown
    assert page.context["may"]["approve"] == ""
    assert "Replay the decision" in shown
    assert [event.words for event in page.context["timeline"]] == ["Requested"]


def test_anybody_who_may_vote_is_named_in_words(kestrel: Kestrel) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"required_approvals": 2},
    )
    page = client_of(kestrel, "third").get(f"/promotions/{half_way(kestrel).pk}")
    assert "2 approvals by anyone who may vote" in page.content.decode()


@pytest.mark.parametrize("act", ["approve", "reject", "confirm", "override"])
def test_a_refused_form_shows_a_page_that_tells_of_no_vote(kestrel: Kestrel, act: str) -> None:
    promotion = half_way(kestrel)
    where = {"confirm": "gates/backup/confirm", "override": "gates/team-rule/override"}.get(act, act)
    answer = client_of(kestrel, "third").post(
        f"/promotions/{promotion.pk}/{where}", {"subject_digest": "sha256:" + "0" * 64, "reason": "No"}
    )
    assert answer.status_code in (400, 403, 412)
    assert telling(answer.content, promotion) == []


def test_the_replay_of_the_page_is_refused(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/replay")
    assert answer.status_code == 403
    assert "is blind: who voted" in answer.content.decode()


def test_the_board_says_why_it_waits_without_names(kestrel: Kestrel) -> None:
    half_way(kestrel)
    shown = client_of(kestrel, "third").get("/").content.decode()
    assert "1 of 2 approvals are given; by whom" in shown
    assert "Waiting for 1 more approval" in client_of(kestrel, "quillon").get("/").content.decode()


# Simulation, and the Django admin


def test_a_simulation_is_refused_on_hidden_votes_and_leaves_them_out_of_many(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    save_draft(by=kestrel["admin"], clock=kestrel.clock, name="watched", changes={"gates": []})
    path, client = "/api/v1/promotion-policies/watched/simulate", client_of(kestrel, "admin")
    one = client.post(path, {"promotionId": str(promotion.pk)}, content_type="application/json")
    assert code(one) == (403, "PERM_BLIND")
    last = client.post(path, {"last": 10}, content_type="application/json").json()
    assert last["results"] == []
    page = client.get("/policies/promotion/watched/simulate", {"on": "one", "number": promotion.number, "version": ""})
    assert "is blind: who voted" in page.content.decode()
    kestrel.rejects("second", promotion)
    last = client.post(path, {"last": 10}, content_type="application/json").json()
    assert [each["number"] for each in last["results"]] == [promotion.number]


TOLD_IN_ADMIN = ("vote", "confirmation", "decisionrecord", "outboxevent")


@pytest.mark.parametrize("model", TOLD_IN_ADMIN)
def test_the_django_admin_leaves_out_what_tells_of_hidden_votes(kestrel: Kestrel, model: str) -> None:
    """Being an administrator gives no sight of votes; being an auditor as well does."""
    rows = next(each for kind, each in site._registry.items() if kind._meta.label_lower == f"promotions.{model}")

    def of(promotion: Promotion, by: Actor) -> int:
        request = RequestFactory().get("/admin/")
        request.actor = by  # type: ignore[attr-defined]
        return int(rows.get_queryset(request).filter(promotion_id=promotion.pk).count())

    promotion = half_way(kestrel)
    admin, both = kestrel["admin"], make_person(kestrel.tenant, "both", roles=["admin", "auditor"], clock=kestrel.clock)
    assert of(promotion, admin) == 0
    assert of(promotion, actor_of(both, kestrel.tenant)) > 0
    kestrel.rejects("second", promotion)
    assert of(promotion, admin) > 0


def test_the_django_admin_keeps_events_that_are_about_no_promotion(kestrel: Kestrel) -> None:
    half_way(kestrel)
    OutboxEvent.objects.create(
        tenant=kestrel.tenant, name="environment.updated", payload={}, created_at=kestrel.clock.now()
    )
    request = RequestFactory().get("/admin/")
    request.actor = kestrel["admin"]  # type: ignore[attr-defined]
    found = OutboxEventAdmin(OutboxEvent, site).get_queryset(request)
    assert found.filter(promotion=None).exists()


# Cost


def test_it_costs_a_statement_at_most_where_a_promotion_is_blind() -> None:
    """On the page nothing, by API one for an answer that reads no votes; each in place of one for names."""
    kestrel = blinded(blind=False)
    client, paths = (
        client_of(kestrel, "viewer"),
        ("/promotions/{}", "/api/v1/promotions/{}", "/api/v1/promotions/{}/gates"),
    )

    def cost(promotion: Promotion) -> list[int]:
        found = []
        for path in paths:
            client.get(path.format(promotion.pk))
            with CaptureQueriesContext(connection) as statements:
                assert client.get(path.format(promotion.pk)).status_code == 200
            found.append(len(statements))
        return found

    before = cost(half_way(kestrel))
    hide(kestrel, blind=True)
    assert all(now <= then + 1 for now, then in zip(cost(half_way(kestrel)), before, strict=True))


def test_a_vote_asks_nothing_more_where_no_policy_is_blind() -> None:
    kestrel = blinded(blind=False)
    promotion = half_way(kestrel)
    with CaptureQueriesContext(connection) as statements:
        post(kestrel, "second", f"{promotion.pk}/approve")
    assert [each["sql"] for each in statements if 'FROM "promotions_vote"' in each["sql"]] == []


# Everything else


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each, route)
        else:
            yield route


# What these are about is people, so that names and ids of those who happened to vote stand in them.
ABOUT_PEOPLE = (
    "settings/",
    "policies/approval/",  # who could approve, if one of these asked?
    "promotions/new",  # who could vote on what is not requested yet
    "admin/accounts/",
    "admin/identity/",
    "admin/audit/",  # how they became members; what they did to the promotion is left out
)
NOT_READ = ("static/", "^api(", "accounts/")


def every_address(promotion: Promotion) -> Iterator[str]:
    """Each address of the product, with the ids of this promotion and of what it is about, and some with queries."""
    policy = promotion.target_environment.approval_policies.get()
    named = {
        "promotion_id": promotion.pk,
        "release_id": promotion.release_id,
        "environment_id": promotion.target_environment_id,
        "policy_id": policy.pk,
        "gate": "backup",
        "number": 1,
        "object_id": promotion.pk,
    }
    by_first = {
        "promotions": promotion.pk,
        "releases": promotion.release_id,
        "environments": promotion.target_environment_id,
        "approval-policies": policy.pk,
    }
    for route in sorted(set(routes(get_resolver()))):
        if route.startswith(NOT_READ):
            continue
        parts = route.split("/")
        first = parts[2] if route.startswith("api/v1/") else ""
        filled = []
        for part in parts:
            if part.startswith("<"):
                kind, _, name = part.strip("<>").rpartition(":")
                other = "watched" if kind == "slug" else NOWHERE
                filled.append(str(by_first.get(first, NOWHERE) if name == "pk" else named.get(name, other)))
            else:
                filled.append(part)
        yield "/" + "/".join(filled)
    yield from ("/approvals?tab=open", "/approvals?tab=mine", "/promotions?status=awaiting_approval")
    yield f"/policies/promotion/watched/simulate?on=one&number={promotion.number}&version=1"
    yield "/policies/promotion/watched/simulate?on=last&last=10&version=1"
    for act in (*Vote.objects.filter(promotion=promotion), *Confirmation.objects.filter(promotion=promotion)):
        yield f"/admin/promotions/{type(act).__name__.lower()}/{act.pk}/change/"
    for record in DecisionRecord.objects.filter(promotion=promotion):
        yield f"/admin/promotions/decisionrecord/{record.pk}/change/"


def told(kestrel: Kestrel, who: str, promotion: Promotion) -> dict[str, list[str]]:
    """Addresses whose answer to this person tells of the votes, with what it tells."""
    client, found = client_of(kestrel, who), {}
    for address in every_address(promotion):
        own = address.lstrip("/").startswith(ABOUT_PEOPLE)
        said = telling(client.get(address).content, promotion, people=not own)
        if said:
            found[address] = said
    return found


def telling(content: bytes, promotion: Promotion, *, people: bool = True) -> list[str]:
    """What of the votes and confirmations, and with ``people`` of who gave them, stands in an answer."""
    text = content.decode(errors="replace")
    acts = [*Vote.objects.filter(promotion=promotion), *Confirmation.objects.filter(promotion=promotion)]
    wanted = [SAID, CHECKED, TELLTALE, *(str(act.pk) for act in acts)]
    if people:
        wanted += [str(act.voter_id) for act in acts]
        wanted += [name for each in NAMES for name in (each, each.capitalize())]
    return [each for each in wanted if each in text]


@pytest.mark.parametrize("who", ["third", "requester", "operator", "admin", "viewer"])
def test_no_page_and_no_answer_tells_of_a_hidden_vote(kestrel: Kestrel, who: str) -> None:
    assert told(kestrel, who, half_way(kestrel)) == {}


def test_the_sweep_finds_votes_where_they_are_shown(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    make_person(kestrel.tenant, "everything", roles=["admin", "auditor"], clock=kestrel.clock)
    kestrel.actors["everything"] = actor_of(User.objects.get(username="everything"), kestrel.tenant)
    found = told(kestrel, "everything", promotion)
    api = f"/api/v1/promotions/{promotion.pk}"
    wanted = {api, *(f"{api}/{each}" for each in ("approvals", "decision", "decisions", "events", "gates"))}
    wanted |= {"/", f"/promotions/{promotion.pk}", "/audit", "/api/v1/audit-events"}
    wanted |= {f"/policies/promotion/watched/simulate?on=one&number={promotion.number}&version=1"}
    wanted |= {f"/admin/promotions/{each}/" for each in ("vote", "confirmation")}
    assert wanted <= found.keys()
