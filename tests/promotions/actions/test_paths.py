"""The path of a product, from its edit over the request to the start (domain.md §1b)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentEdit
from policies.etags import proposal_tag
from policies.models import Proposal, WeakeningEdit
from promotions.actions.archive_environment import archive_environment
from promotions.actions.image_repositories import share_repository
from promotions.actions.products import PathsNotKnown, archive_product, create_product, update_product
from promotions.actions.proposals import confirm_proposal
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.actions.start_check import Blocked
from promotions.judging.evaluation_context import stored_requirements
from promotions.judging.ordering import NotOnPath, SequenceViolation, entries
from promotions.models import DecisionRecord, ProcessHeartbeat, Promotion
from promotions.models.worker import NAMES_OF_PRODUCTS, OWNERS_OF_PRODUCTS, PATHS_OF_PRODUCTS
from promotions.reading.approver_check import check_approver
from promotions.verification.replay import replay
from promotions.worker.round import run_round
from stellapromote.accounts.models import ImageRepository, Product
from stellapromote.api.etag import IfMatch
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid
from tests.factories import make_approval_policy
from tests.kept import continued, kept
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.verification.story import rows_found
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db

SHORT = ["dev", "production"]


@kept
def with_path() -> Kestrel:
    """Releases of ledger go from dev to production without staging; two people said so."""
    kestrel = make_kestrel()
    changed(kestrel, kestrel.staging, required_on_every_path=False)
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
    confirmed(goes(kestrel, SHORT), kestrel.clock)
    kestrel.wait()
    return kestrel


@pytest.fixture
def kestrel() -> Kestrel:
    return with_path()


def goes(kestrel: Kestrel, path: list[str] | None, slug: str = "ledger") -> Any:
    kestrel.wait()
    return update_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, changes={"path": path})


def changed(kestrel: Kestrel, environment: Environment, **changes: Any) -> Any:
    kestrel.wait()
    admin, clock = kestrel["admin"], kestrel.clock
    return update_environment(by=admin, clock=clock, environment_id=environment.pk, changes=changes)


@continued
def in_dev(kestrel: Kestrel, product: str = "ledger") -> Any:
    release = kestrel.release(product=product)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return release


class TestRequest:
    def test_it_comes_from_the_environment_before_on_the_path(self, kestrel: Kestrel) -> None:
        promotion = kestrel.ask(in_dev(kestrel), kestrel.production)
        assert promotion.source_environment == kestrel.dev
        steps = [{"id": str(each.pk), "name": each.name} for each in (kestrel.dev, kestrel.production)]
        assert stored_requirements(promotion)["path"] == steps
        for person in ("approver", "second"):
            kestrel.approves(person, promotion)
        kestrel.deploys(promotion)
        promotion.refresh_from_db()
        assert promotion.status == "deployed"
        for record in DecisionRecord.objects.filter(promotion=promotion):
            assert replay(record).equal
        assert rows_found(kestrel.tenant.pk) == []

    def test_an_environment_that_is_not_on_it_is_refused_and_nothing_is_stored(self, kestrel: Kestrel) -> None:
        release, before = in_dev(kestrel), Promotion.objects.count()
        with pytest.raises(NotOnPath, match="Releases of product ledger do not enter Staging") as refusal:
            kestrel.ask(release, kestrel.staging)
        assert refusal.value.details == {"product": "ledger", "targetEnvironment": "staging", "path": SHORT}
        wanted = PromotionRequest(release.pk, kestrel.staging.pk, "Wanted")
        with pytest.raises(NotOnPath):
            preview_promotion(wanted, by=kestrel["requester"], clock=kestrel.clock)
        assert Promotion.objects.count() == before

    def test_the_step_that_is_missing_is_the_one_on_the_path(self, kestrel: Kestrel) -> None:
        release = kestrel.release(product="ledger")
        with pytest.raises(SequenceViolation, match="must be deployed in Dev before") as refusal:
            kestrel.ask(release, kestrel.production)
        assert refusal.value.details["missingEnvironment"] == "dev"

    def test_other_products_pass_all_and_keep_their_snapshots(self, kestrel: Kestrel) -> None:
        release = in_dev(kestrel, "main")
        with pytest.raises(SequenceViolation):
            kestrel.ask(release, kestrel.production)
        assert "path" not in stored_requirements(kestrel.ask(release, kestrel.staging))

    def test_the_choices_are_those_on_the_path(self, kestrel: Kestrel) -> None:
        of_ledger, of_main = (
            [target.name for target, _ in entries(in_dev(kestrel, each))] for each in ("ledger", "main")
        )
        assert (of_ledger, of_main) == (SHORT, ["dev", "staging", "production"])

    def test_nobody_goes_back_where_the_product_goes_no_more(self, kestrel: Kestrel) -> None:
        first = in_dev(kestrel)
        in_dev(kestrel)
        confirmed(goes(kestrel, ["production"]), kestrel.clock)
        with pytest.raises(NotOnPath):
            kestrel.ask(first, kestrel.dev)

    def test_a_required_environment_is_on_it_from_then_on(self, kestrel: Kestrel) -> None:
        release = in_dev(kestrel)
        assert not isinstance(changed(kestrel, kestrel.staging, required_on_every_path=True), Proposal)
        with pytest.raises(SequenceViolation, match="must be deployed in Staging before"):
            kestrel.ask(release, kestrel.production)
        path = stored_requirements(kestrel.ask(release, kestrel.staging))["path"]
        assert [each["name"] for each in path] == ["dev", "staging", "production"]


class TestStart:
    @pytest.fixture
    def approved(self, kestrel: Kestrel) -> Promotion:
        promotion = kestrel.ask(in_dev(kestrel), kestrel.production)
        kestrel.approves("approver", promotion)
        return kestrel.approves("second", promotion)

    def test_a_promotion_keeps_the_path_of_its_request(self, kestrel: Kestrel, approved: Promotion) -> None:
        goes(kestrel, None)
        changed(kestrel, kestrel.staging, required_on_every_path=None)
        run_round("worker", kestrel.clock)
        assert kestrel.reports(approved, "started").status == "deploying"

    def test_and_one_without_a_path_goes_on_where_the_product_goes_no_more(self, kestrel: Kestrel) -> None:
        release = in_dev(kestrel, "main")
        promotion = kestrel.ask(release, kestrel.staging)
        confirmed(goes(kestrel, SHORT, slug="main"), kestrel.clock)
        run_round("worker", kestrel.clock)
        kestrel.approves("approver", promotion)
        kestrel.deploys(promotion)
        assert Promotion.objects.get(pk=promotion.pk).status == "deployed"

    def test_what_was_rolled_back_before_it_is_missing(self, kestrel: Kestrel, approved: Promotion) -> None:
        earlier = Promotion.objects.get(release=approved.release, target_environment=kestrel.dev)
        kestrel.reports(earlier, "rolled_back", message="Broken")
        with pytest.raises(Blocked, match="was rolled back in dev"):
            kestrel.reports(approved, "started")

    def test_what_is_not_on_it_may_be_archived_meanwhile(self, kestrel: Kestrel, approved: Promotion) -> None:
        assert approved.source_environment == kestrel.dev
        archived = archive_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk)
        confirmed(archived, kestrel.clock)
        assert kestrel.reports(approved, "started").status == "deploying"


class TestAutomatically:
    def follows(self, kestrel: Kestrel, target: Environment, source: str) -> None:
        confirmed(changed(kestrel, target, auto_promote_from=source), kestrel.clock)

    def test_what_is_directly_before_on_the_path_is_followed(self, kestrel: Kestrel) -> None:
        confirmed(goes(kestrel, ["dev", "staging", "production"]), kestrel.clock)
        self.follows(kestrel, kestrel.staging, "dev")
        release = in_dev(kestrel)
        run_round("worker", kestrel.clock)
        [follower] = Promotion.objects.filter(target_environment=kestrel.staging)
        assert (follower.release, follower.source_environment) == (release, kestrel.dev)

    def test_what_is_not_on_it_is_not_requested_and_nothing_is_refused(self, kestrel: Kestrel) -> None:
        self.follows(kestrel, kestrel.staging, "dev")
        in_dev(kestrel, "main")
        release = in_dev(kestrel)
        run_round("worker", kestrel.clock)
        followers = Promotion.objects.filter(target_environment=kestrel.staging)
        assert [each.product for each in followers] == ["main"]
        assert not AuditEvent.objects.filter(action="promotion.auto_promotion_refused").exists()
        assert not Promotion.objects.filter(auto_promote_due=True).exists()
        assert Promotion.objects.filter(release=release).count() == 1

    def test_a_deployment_where_the_product_goes_no_more_is_not_followed(self, kestrel: Kestrel) -> None:
        promotion = kestrel.ask(in_dev(kestrel, "main"), kestrel.staging)
        kestrel.approves("approver", promotion)
        self.follows(kestrel, kestrel.production, "staging")
        confirmed(goes(kestrel, SHORT, slug="main"), kestrel.clock)
        kestrel.deploys(promotion)
        run_round("worker", kestrel.clock)
        assert not Promotion.objects.filter(target_environment=kestrel.production).exists()


class TestEdit:
    def test_fewer_steps_wait_for_a_second_person(self, kestrel: Kestrel) -> None:
        proposal = goes(kestrel, SHORT, slug="main")
        assert isinstance(proposal, Proposal)
        assert (proposal.guards, proposal.before, proposal.after) == (["production"], {"path": None}, {"path": SHORT})
        sentence = "Environment production: releases of product main need not pass staging before it any more."
        assert proposal.weakens == [sentence]
        assert Product.objects.get(slug="main").path is None
        kestrel.wait()
        confirmed(proposal, kestrel.clock)
        assert Product.objects.get(slug="main").path == SHORT
        [edit] = WeakeningEdit.objects.filter(what=sentence)
        assert (edit.environment_id, edit.confirmed_at) == (kestrel.production.pk, kestrel.clock.now())
        assert rows_found(kestrel.tenant.pk) == []

    def test_more_steps_are_in_force_at_once(self, kestrel: Kestrel) -> None:
        before = WeakeningEdit.objects.filter(environment_id=kestrel.production.pk).count()
        for path in (["dev", "staging", "production"], None):
            assert not isinstance(goes(kestrel, path), Proposal)
        assert WeakeningEdit.objects.filter(environment_id=kestrel.production.pk).count() == before
        assert rows_found(kestrel.tenant.pk) == []

    def test_leaving_production_is_in_force_at_once_and_entering_it_again_is_not(self, kestrel: Kestrel) -> None:
        assert not isinstance(goes(kestrel, ["dev"]), Proposal)
        back = goes(kestrel, SHORT)
        assert back.weakens == ["Environment production: releases of product ledger may enter it, after dev."]

    def test_where_nothing_is_protected_it_is_noted_alone(self, kestrel: Kestrel) -> None:
        confirmed(changed(kestrel, kestrel.production, protected=False), kestrel.clock)
        assert not isinstance(goes(kestrel, ["production"]), Proposal)
        [edit] = WeakeningEdit.objects.filter(what__contains="need not pass dev")
        assert edit.confirmed_at is None

    def test_a_new_product_is_compared_with_one_that_passes_all(self, kestrel: Kestrel) -> None:
        proposal = create_product(by=kestrel["admin"], clock=kestrel.clock, slug="cards", path=SHORT)
        assert isinstance(proposal, Proposal)
        assert proposal.weakens == [
            "Environment production: releases of product cards need not pass staging before it any more."
        ]
        assert not Product.objects.filter(slug="cards").exists()
        made = create_product(by=kestrel["admin"], clock=kestrel.clock, slug="wiki", path=["dev", "staging"])
        assert (made.path, WeakeningEdit.objects.filter(what__contains="wiki").count()) == (["dev", "staging"], 0)
        confirmed(proposal, kestrel.clock)
        assert Product.objects.get(slug="cards").path == SHORT

    def test_a_path_without_a_required_environment_is_refused_at_each_door(self, kestrel: Kestrel) -> None:
        proposal = goes(kestrel, SHORT, slug="main")
        changed(kestrel, kestrel.staging, required_on_every_path=None)
        for attempt in (
            lambda: goes(kestrel, ["production"]),
            lambda: create_product(by=kestrel["admin"], clock=kestrel.clock, slug="cards", path=SHORT),
            lambda: confirmed(proposal, kestrel.clock),
        ):
            with pytest.raises(Invalid) as refusal:
                attempt()
            assert [each.field for each in refusal.value.fields] == ["path"]
        assert set(Product.objects.values_list("slug", flat=True)) == {"main", "ledger"}

    def test_an_edit_without_a_change_leaves_no_trace(self, kestrel: Kestrel) -> None:
        before = AuditEvent.objects.count(), EnvironmentEdit.objects.count()
        assert goes(kestrel, SHORT).version == Product.objects.get(slug="ledger").version
        assert (AuditEvent.objects.count(), EnvironmentEdit.objects.count()) == before

    def test_it_is_audited_and_kept_for_what_is_entered_otherwise(self, kestrel: Kestrel) -> None:
        edits = set(EnvironmentEdit.objects.values_list("pk", flat=True))
        goes(kestrel, ["dev", "staging", "production"])
        event = AuditEvent.objects.filter(action="product.updated").latest("timestamp")
        assert (event.before, event.after["path"]) == ({"path": SHORT}, ["dev", "staging", "production"])
        new = EnvironmentEdit.objects.exclude(pk__in=edits).values_list("environment_id", "product")
        assert set(new) == {(kestrel.staging.pk, "ledger"), (kestrel.production.pk, "ledger")}


class TestImages:
    """They decide which path holds: moving them takes two people, once a protected environment is entered otherwise."""

    def change(self, kestrel: Kestrel, slug: str, *repositories: str) -> Any:
        kestrel.wait()
        changes = {"image_repositories": [*repositories]}
        return update_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, changes=changes)

    def test_they_move_between_paths_by_two(self, kestrel: Kestrel) -> None:
        kestrel.release(product="ledger")
        freed = self.change(kestrel, "ledger")
        assert isinstance(freed, Proposal)
        assert freed.guards == ["production"]
        assert isinstance(self.change(kestrel, "main", "registry.example/new"), Proposal)
        shared = share_repository(by=kestrel["admin"], clock=kestrel.clock, name="registry.example/base")
        assert isinstance(shared, Proposal)
        assert ImageRepository.objects.filter(product__slug="ledger").exists()

    def test_out_of_a_product_that_does_not_enter_production_too(self, kestrel: Kestrel) -> None:
        goes(kestrel, ["dev", "staging"])
        assert isinstance(self.change(kestrel, "main", "registry.example/new"), Proposal)

    def test_and_out_of_one_that_was_archived(self, kestrel: Kestrel) -> None:
        archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
        assert isinstance(self.change(kestrel, "main", "registry.example/new"), Proposal)

    @pytest.mark.parametrize("what", ["path", "new product", "required"])
    def test_and_where_an_open_proposal_would_have_it_so(self, kestrel: Kestrel, what: str) -> None:
        if what == "required":
            changed(kestrel, kestrel.staging, required_on_every_path=True)
            assert isinstance(changed(kestrel, kestrel.staging, required_on_every_path=False), Proposal)
        else:
            goes(kestrel, None)
            admin, clock = kestrel["admin"], kestrel.clock
            new = what == "new product"
            proposal = create_product(by=admin, clock=clock, slug="cards", path=SHORT) if new else goes(kestrel, SHORT)
            assert isinstance(proposal, Proposal)
        assert isinstance(self.change(kestrel, "main", "registry.example/new"), Proposal)

    def test_where_every_product_passes_all_they_move_at_once(self, kestrel: Kestrel) -> None:
        goes(kestrel, ["dev", "staging", "production"])
        assert not isinstance(self.change(kestrel, "main", "registry.example/new"), Proposal)


class TestEditors:
    """Editors of a path do not vote on what they let in, where a policy excludes editors; for this product alone."""

    @pytest.fixture
    def careful(self, kestrel: Kestrel) -> Kestrel:
        rules = [{"name": "release", "teams": ["release"]}]
        make_approval_policy(
            kestrel["admin"],
            "careful",
            clock=kestrel.clock,
            rules=rules,
            separationOfDuties={"excludePolicyEditor": True},
        )
        names = ["careful", "two-person"]
        confirmed(changed(kestrel, kestrel.production, approval_policies=names, required_approvals=0), kestrel.clock)
        kestrel.wait(days=1)
        return kestrel

    def excluded(self, kestrel: Kestrel, product: str, target: Environment) -> dict[str, list[str]]:
        kestrel.wait()
        release = kestrel.release(product=product)
        for step in (kestrel.dev, kestrel.staging) if product == "main" else (kestrel.dev,):
            promotion = kestrel.ask(release, step)
            if promotion.status != "approved":
                kestrel.approves("third", promotion)
            kestrel.deploys(promotion)
        people = stored_requirements(kestrel.ask(release, target))["excludedPersons"]
        return {each["username"]: each["reasons"] for each in people}

    def test_the_editor_in_force_is_excluded(self, careful: Kestrel) -> None:
        edits(careful, "third", product="")
        edits(careful, "approver")
        edits(careful, "second")
        of_ledger = self.excluded(careful, "ledger", careful.production)
        of_main = self.excluded(careful, "main", careful.production)
        assert {"second", "third", "approver"} & of_ledger.keys() == {"second", "third"}
        assert {"second", "third", "approver"} & of_main.keys() == {"third"}
        assert of_ledger["admin"] == of_main["admin"] == ["POLICY_EDITOR"]

    def test_the_second_person_is_one_for_releases_from_before(self, careful: Kestrel) -> None:
        release = careful.release(product="ledger")
        careful.deploys(careful.ask(release, careful.dev))
        goes(careful, None)
        proposal = goes(careful, SHORT)
        careful.wait()
        confirm_proposal(
            proposal.pk, by=careful["third"], if_match=IfMatch(proposal_tag(proposal)), clock=careful.clock
        )
        people = stored_requirements(careful.ask(release, careful.production))["excludedPersons"]
        assert "third" in {each["username"] for each in people}


def edits(kestrel: Kestrel, who: str, *, product: str = "ledger") -> None:
    """The row of an edit by this person, who is no administrator any more: of the path of the product into production,
    or without one of the settings."""
    kestrel.wait()
    EnvironmentEdit.objects.create(
        tenant_id=kestrel.tenant.pk,
        environment_id=kestrel.production.pk,
        by_id=kestrel[who].account,
        at=kestrel.clock.now(),
        product=product,
    )


class TestEarlierVersions:
    def beats(self, kestrel: Kestrel, *knows: str, ago: int = 0) -> None:
        at = kestrel.clock.now() + timedelta(minutes=1) - timedelta(seconds=ago)
        ProcessHeartbeat.objects.create(name="old", role="web", at=at, knows=[*knows])

    def test_no_path_is_chosen_while_one_runs(self, kestrel: Kestrel) -> None:
        self.beats(kestrel, NAMES_OF_PRODUCTS, OWNERS_OF_PRODUCTS)
        for attempt in (
            lambda: goes(kestrel, ["dev", "staging", "production"]),
            lambda: create_product(by=kestrel["admin"], clock=kestrel.clock, slug="wiki", path=["dev", "staging"]),
        ):
            with pytest.raises(PathsNotKnown) as refusal:
                attempt()
            ProcessHeartbeat.objects.update(at=kestrel.clock.now())
            assert (refusal.value.code, refusal.value.retry_after) == ("SYS_UNAVAILABLE", 60)
        assert Product.objects.get(slug="ledger").path == SHORT

    @pytest.mark.parametrize(("knows", "ago"), [((PATHS_OF_PRODUCTS,), 0), ((), 61)])
    def test_and_once_none_does_it_is(self, kestrel: Kestrel, knows: tuple[str, ...], ago: int) -> None:
        self.beats(kestrel, *knows, ago=ago)
        goes(kestrel, ["dev", "staging", "production"])
        assert Product.objects.get(slug="ledger").path == ["dev", "staging", "production"]

    def test_the_database_refuses_a_promotion_that_keeps_no_path(self, kestrel: Kestrel) -> None:
        promotion = kestrel.ask(kestrel.release(product="main"), kestrel.dev)
        promotion.pk, promotion.number, promotion.product = kestrel.dev.pk, 77, "ledger"
        with pytest.raises(IntegrityError, match="has a path of its own"), transaction.atomic():
            promotion.save(force_insert=True)


def test_who_could_approve_is_nobody_where_the_product_does_not_go(kestrel: Kestrel) -> None:
    policy = make_approval_policy(
        kestrel["admin"], "any", clock=kestrel.clock, rules=[{"name": "a", "teams": ["release"]}]
    )
    question = {"policy": policy, "requester_id": kestrel["requester"].account, "at": kestrel.clock.now()}
    refused = check_approver(**question, environment=kestrel.staging, product="ledger")
    assert (refused.satisfiable, [each["code"] for each in refused.reasons]) == (False, ["PROM_NOT_ON_PATH"])
    for environment, product in ((kestrel.staging, "main"), (kestrel.production, "ledger")):
        assert check_approver(**question, environment=environment, product=product).satisfiable
