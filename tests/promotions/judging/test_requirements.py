from typing import Any

import pytest

from environments.models import Environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.etags import promotion_policy_tag
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.actions.releases import update_release
from promotions.judging.attribution import Origin
from promotions.judging.commit_authors import CommitAuthorsUnknown
from promotions.judging.products import KnownProduct, check_open, lock_product
from promotions.judging.requirements import PolicyWithoutVersion, policies_that_guard, take_snapshot
from promotions.models import Release
from stellapromote.accounts.models import User
from stellapromote.api.etag import IfMatch
from stellapromote.errors import Invalid
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
    actor_of,
    actor_of_token,
    make_approval_policy,
    make_environment,
    make_person,
    make_promotion_policy,
    make_service,
    make_tenant,
    make_token,
)
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def product_of(release: Release) -> KnownProduct:
    return check_open(lock_product(release.tenant_id, release.product), release.product)


def test_a_policy_edited_by_a_machine_was_edited_by_its_owners(kestrel: Kestrel) -> None:
    owner = make_person(kestrel.tenant, "owner", roles=["approver"], clock=kestrel.clock)
    service = make_service(kestrel.tenant, owner, scopes=["policy:write"], clock=kestrel.clock)
    machine = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    make_approval_policy(machine, "apart", clock=kestrel.clock, separationOfDuties=duties)
    target = make_environment(kestrel["admin"], "apart", 0, clock=kestrel.clock, approval_policies=["apart"])
    at = kestrel.clock.now()
    requester = Origin(kestrel["requester"].account, None, at)
    release = kestrel.release()
    snapshot = take_snapshot(
        release=release,
        product=product_of(release),
        target=target,
        route=[],
        links=policies_that_guard(target.pk),
        requester=requester,
        triggered_by=None,
        at=at,
    )
    excluded = {person["username"]: person["reasons"] for person in snapshot.document["excludedPersons"]}
    assert excluded["owner"] == ["POLICY_EDITOR"]
    assert excluded[service.user.username] == ["POLICY_EDITOR"]


def test_who_got_their_role_from_a_machine_of_the_requester_does_not_vote(kestrel: Kestrel) -> None:
    owner = User.objects.get(pk=kestrel["requester"].account)
    service = make_service(kestrel.tenant, owner, scopes=["tenant:admin"], clock=kestrel.clock)
    machine = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
    friend = make_person(kestrel.tenant, "friend", clock=kestrel.clock)
    grant_role(by=machine, clock=kestrel.clock, user_id=friend.pk, role="approver")
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.ask(release, kestrel.staging)
    assert kestrel["approver"].user_id in promotion.open_voters
    assert friend.pk not in promotion.open_voters


@pytest.fixture
def without_authors(kestrel: Kestrel) -> Environment:
    """An environment before all others that keeps commit authors from approving."""
    make_approval_policy(
        kestrel["admin"],
        "not-the-authors",
        clock=kestrel.clock,
        separationOfDuties={"excludeReleaseCreator": False, "excludeCommitAuthors": True},
    )
    return make_environment(kestrel["admin"], "guarded", 0, clock=kestrel.clock, approval_policies=["not-the-authors"])


def snapshot_of(kestrel: Kestrel, target: Environment, authors: list[str]) -> dict[str, Any]:
    return asked_for(kestrel, kestrel.release(source_ref={"authors": authors}), target)


def asked_for(kestrel: Kestrel, release: Release, target: Environment) -> dict[str, Any]:
    at = kestrel.clock.now()
    requester = Origin(kestrel["requester"].account, None, at)
    return take_snapshot(
        release=release,
        product=product_of(release),
        target=target,
        route=[],
        links=policies_that_guard(target.pk),
        requester=requester,
        triggered_by=None,
        at=at,
    ).document


def excluded_in(document: dict[str, Any], reason: str) -> list[str]:
    return [person["username"] for person in document["excludedPersons"] if reason in person["reasons"]]


@pytest.mark.parametrize("author", ["second", "SECOND", "mei@kestrel.example", "Mei <Mei@Kestrel.example>"])
def test_a_commit_author_is_excluded_by_username_and_by_address(
    kestrel: Kestrel, without_authors: Environment, author: str
) -> None:
    User.objects.filter(pk=kestrel["second"].account).update(email="mei@kestrel.example")
    document = snapshot_of(kestrel, without_authors, [author])
    assert excluded_in(document, "COMMIT_AUTHOR") == ["second"]


@pytest.mark.parametrize("author", ["nobody", "mei@elsewhere.example", "merlin-second", "<>"])
def test_an_author_whom_nobody_knows_stops_the_request(
    kestrel: Kestrel, without_authors: Environment, author: str
) -> None:
    make_person(make_tenant(), "merlin-second")
    with pytest.raises(CommitAuthorsUnknown) as refused:
        snapshot_of(kestrel, without_authors, ["second", author])
    assert refused.value.details == {"unknownAuthors": [author]}


def test_an_author_who_left_is_known(kestrel: Kestrel, without_authors: Environment) -> None:
    end_membership(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["second"].account)
    assert excluded_in(snapshot_of(kestrel, without_authors, ["second"]), "COMMIT_AUTHOR") == ["second"]


def test_commits_of_a_machine_are_those_of_its_owners(kestrel: Kestrel, without_authors: Environment) -> None:
    owner = User.objects.get(pk=kestrel["second"].account)
    service = make_service(kestrel.tenant, owner, clock=kestrel.clock)
    document = snapshot_of(kestrel, without_authors, [service.user.username])
    assert excluded_in(document, "SERVICE_OWNER") == ["second"]


def test_an_author_without_account_is_named_as_such_in_the_snapshot(
    kestrel: Kestrel, without_authors: Environment
) -> None:
    document = snapshot_of(kestrel, without_authors, ["second", "external: Renovate"])
    assert document["externalAuthors"] == ["renovate"]
    assert excluded_in(document, "COMMIT_AUTHOR") == ["second"]


def account_of_mei(kestrel: Kestrel) -> None:
    """It comes after the release, which cannot know of it."""
    kestrel.wait()
    mei = make_person(kestrel.tenant, "mei", display_name="Mei-Ling Straße", clock=kestrel.clock)
    User.objects.filter(pk=mei.pk).update(email="Mei@Kestrel.example")


HIDDEN = [
    "external:mei",
    "external: MEI",
    "External:Mei <someone@elsewhere.example>",
    "external:mei@kestrel.example",
    "external:Somebody <MEI@kestrel.EXAMPLE>",
    "external:Somebody (mei)",
    "external:@mei",
    "external:external:mei",
    'external:"Mei"',
    "external:\uff2d\uff25\uff29",
    "external:Mei-Ling  Straße",
]


@pytest.mark.parametrize("author", HIDDEN)
def test_no_account_is_hidden_as_external(kestrel: Kestrel, without_authors: Environment, author: str) -> None:
    release = kestrel.release(source_ref={"authors": ["second", author]})
    account_of_mei(kestrel)
    with pytest.raises(CommitAuthorsUnknown) as refused:
        asked_for(kestrel, release, without_authors)
    assert refused.value.details is not None
    assert [each.lower() for each in refused.value.details["accountsNamedExternal"]] == [author.lower()]


@pytest.mark.parametrize("author", HIDDEN)
def test_a_release_that_hides_one_is_not_created(kestrel: Kestrel, author: str) -> None:
    account_of_mei(kestrel)
    with pytest.raises(Invalid) as refused:
        kestrel.release(source_ref={"authors": ["external:renovate", author]})
    assert [each.field for each in refused.value.fields] == ["sourceRef.authors[1]"]


def test_nor_is_one_changed_so(kestrel: Kestrel) -> None:
    account_of_mei(kestrel)
    release = kestrel.release(finalize=False)
    with pytest.raises(Invalid):
        update_release(
            release.pk, {"source_ref": {"authors": ["external:mei"]}}, by=kestrel["builder"], clock=kestrel.clock
        )


def test_who_left_and_machines_are_accounts_too(kestrel: Kestrel) -> None:
    owner = User.objects.get(pk=kestrel["second"].account)
    service = make_service(kestrel.tenant, owner, clock=kestrel.clock)
    end_membership(by=kestrel["admin"], clock=kestrel.clock, user_id=owner.pk)
    for name in (owner.username, service.user.username):
        with pytest.raises(Invalid):
            kestrel.release(source_ref={"authors": [f"external:{name}"]})


def test_accounts_of_other_tenants_are_external_like_names_that_nobody_has(
    kestrel: Kestrel, without_authors: Environment
) -> None:
    make_person(make_tenant(), "merlin")
    document = snapshot_of(kestrel, without_authors, ["external:merlin", "external:nobody", "external:mei.x"])
    assert document["externalAuthors"] == ["mei.x", "merlin", "nobody"]


def test_where_commit_authors_may_vote_nobody_asks_who_they_are(kestrel: Kestrel) -> None:
    assert "externalAuthors" not in snapshot_of(kestrel, kestrel.dev, ["nobody", "external:renovate"])


@pytest.mark.parametrize("kind", ["approval", "promotion"])
def test_a_policy_without_a_version_in_force_stops_the_request(kestrel: Kestrel, kind: str) -> None:
    if kind == "approval":
        ApprovalPolicy.objects.filter(name="two-person").update(current=None)
    else:
        PromotionPolicy.objects.filter(name="default").update(current=None)
    name = "two-person" if kind == "approval" else "default"
    target = Environment.objects.select_related("promotion_policy__current").get(pk=kestrel.production.pk)
    with pytest.raises(PolicyWithoutVersion) as refused:
        snapshot_of(kestrel, target, ["second"])
    assert refused.value.details == {"policy": name}


def test_who_wrote_the_draft_is_excluded_as_its_editor_like_who_published_it(kestrel: Kestrel) -> None:
    writer = make_person(kestrel.tenant, "writer", roles=["admin", "approver"], clock=kestrel.clock)
    make_promotion_policy(actor_of(writer, kestrel.tenant), "drafted", published=False, clock=kestrel.clock)
    seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="drafted")))
    publish_promotion_policy(by=kestrel["admin"], clock=kestrel.clock, name="drafted", if_match=seen)
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    make_approval_policy(kestrel["admin"], "not-the-editors", clock=kestrel.clock, separationOfDuties=duties)
    target = make_environment(
        kestrel["admin"],
        "guarded",
        0,
        clock=kestrel.clock,
        promotion_policy="drafted",
        approval_policies=["not-the-editors"],
    )
    assert excluded_in(snapshot_of(kestrel, target, []), "POLICY_EDITOR") == ["admin", "writer"]
