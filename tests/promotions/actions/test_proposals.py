"""Edits that loosen a guard of a protected environment wait for a second person (domain.md §5)."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import Http404

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag, proposal_tag
from policies.models import ApprovalPolicy, PromotionPolicy, Proposal, WeakeningEdit
from policies.models.proposal import TITLES
from policies.weakening_edits import ChangedMeanwhile
from promotions.actions.proposals import (
    AuthorGone,
    NotNamed,
    ProposalExpired,
    confirm_proposal,
    expire_proposals,
    withdraw_proposal,
)
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.voting.proposals import NotVouchedFor
from promotions.voting.rules import MachinesDoNotVote, SeparationOfDuties, StateForbids
from promotions.worker.round import run_round
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor, operating_system_user
from stellapromote.accounts.models import User
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
    actor_of,
    actor_of_token,
    make_approval_policy,
    make_environment,
    make_person,
    make_service,
    make_token,
)
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@dataclass
class Story:
    """admin proposes, ines is another administrator; both were made by the platform owner."""

    kestrel: Kestrel
    ines: Actor

    @property
    def admin(self) -> Actor:
        return self.kestrel["admin"]

    def person(self, name: str, *roles: str, teams: tuple[str, ...] = ()) -> Actor:
        user = make_person(self.kestrel.tenant, name, roles=roles, teams=teams, clock=self.kestrel.clock)
        return actor_of(user, self.kestrel.tenant)

    def machine(self, owner: Actor, *scopes: str) -> tuple[User, str]:
        """A service of somebody, and a token for it that the platform owner issued."""
        service = make_service(
            self.kestrel.tenant, User.objects.get(pk=owner.account), scopes=scopes, clock=self.kestrel.clock
        )
        return service.user, make_token(self.kestrel.tenant, service.user, clock=self.kestrel.clock)

    def edit(self, *, by: Actor | None = None, if_match: IfMatch | None = None, **changes: Any) -> Any:
        self.kestrel.wait()
        return update_environment(
            by=by or self.admin,
            clock=self.kestrel.clock,
            environment_id=self.kestrel.production.pk,
            changes=changes,
            if_match=if_match,
        )

    def propose(self, *, by: Actor | None = None) -> Proposal:
        """To let the release's creator vote."""
        proposal = self.edit(by=by, require_separation_of_duties=False)
        assert isinstance(proposal, Proposal)
        return proposal

    def confirm(self, proposal: Proposal, by: Actor, if_match: IfMatch | None = None) -> Proposal:
        self.kestrel.wait()
        tag = if_match or IfMatch(proposal_tag(Proposal.objects.get(pk=proposal.pk)))
        return confirm_proposal(proposal.pk, by=by, if_match=tag, clock=self.kestrel.clock)

    @property
    def loosened(self) -> bool:
        return not Environment.objects.get(pk=self.kestrel.production.pk).require_separation_of_duties

    def refuses(self, refusal: type[Exception], proposal: Proposal, by: Actor, **options: Any) -> Exception:
        with pytest.raises(refusal) as caught:
            self.confirm(proposal, by, **options)
        assert not self.loosened
        assert Proposal.objects.get(pk=proposal.pk).state in ("open", "expired", "withdrawn")
        return caught.value


@pytest.fixture
def story() -> Story:
    kestrel = make_kestrel()
    ines = make_person(kestrel.tenant, "ines", roles=["admin"], clock=kestrel.clock)
    return Story(kestrel, actor_of(ines, kestrel.tenant))


class TestLife:
    def test_nothing_changes_before_it_is_confirmed(self, story: Story) -> None:
        version = Environment.objects.get(pk=story.kestrel.production.pk).version
        proposal = story.propose()
        assert (proposal.state, proposal.proposed_by_username) == ("open", "admin")
        assert proposal.weakens == [
            "Environment production: Separation of duties: the release's creator may vote again."
        ]
        assert proposal.guards == ["production"]
        assert (proposal.before, proposal.after) == (
            {"requireSeparationOfDuties": True},
            {"requireSeparationOfDuties": False},
        )
        environment = Environment.objects.get(pk=story.kestrel.production.pk)
        assert (story.loosened, environment.version) == (False, version)
        assert not WeakeningEdit.objects.exists()
        assert not AuditEvent.objects.filter(action="environment.updated").exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("arguments", {"changes": {"required_approvals": 0}}),
            ("weakens", ["Nothing."]),
            ("guards", []),
            ("policies", [{"name": "strict"}]),
            ("after", {}),
            ("behind", []),
            ("tag", '"another"'),
        ],
    )
    def test_what_was_changed_behind_its_digest_is_not_done(
        self, story: Story, field: str, value: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proposal = story.propose()
        read = IfMatch(proposal_tag(proposal))
        setattr(proposal, field, value)
        monkeypatch.setattr("promotions.actions.proposals._locked", lambda *_: proposal)
        with pytest.raises(ChangedMeanwhile):
            confirm_proposal(proposal.pk, by=story.ines, if_match=read, clock=story.kestrel.clock)
        assert not story.loosened

    def test_confirmed_it_is_the_authors_edit_with_a_second_person(self, story: Story) -> None:
        proposal = story.confirm(story.propose(), story.ines)
        assert (proposal.state, proposal.ended_by_username) == ("confirmed", "ines")
        assert story.loosened
        edit = WeakeningEdit.objects.get()
        assert (edit.actor_username, edit.confirmed_by_username, edit.confirmed_by_id) == (
            "admin",
            "ines",
            story.ines.account,
        )
        assert edit.at == edit.confirmed_at == proposal.ended_at

    def test_each_step_is_audited(self, story: Story) -> None:
        proposal = story.confirm(story.propose(), story.ines)
        created, updated, ended = AuditEvent.objects.filter(
            action__in=["proposal.created", "environment.updated", "proposal.confirmed"]
        ).order_by("timestamp", "id")
        assert (created.actor_name, created.action) == ("Admin (admin)", "proposal.created")
        assert created.metadata["weakens"] == 1
        assert (updated.action, updated.metadata["authMethod"]) == ("environment.updated", "proposal")
        assert updated.actor_id == story.admin.account
        assert updated.metadata["proposalId"] == str(proposal.pk)
        assert updated.metadata["confirmedBy"] == str(story.ines.account)
        assert (ended.action, ended.actor_id) == ("proposal.confirmed", story.ines.account)

    def test_a_confirmed_one_is_not_confirmed_again(self, story: Story) -> None:
        proposal = story.confirm(story.propose(), story.ines)
        with pytest.raises(StateForbids):
            story.confirm(proposal, story.ines)
        with pytest.raises(StateForbids):
            withdraw_proposal(proposal.pk, by=story.admin, clock=story.kestrel.clock)

    @pytest.mark.parametrize("who", ["admin", "ines"])
    def test_its_author_and_any_administrator_withdraw_it(self, story: Story, who: str) -> None:
        proposal, by = story.propose(), {"admin": story.admin, "ines": story.ines}[who]
        withdrawn = withdraw_proposal(proposal.pk, by=by, clock=story.kestrel.clock)
        assert (withdrawn.state, withdrawn.ended_by_username) == ("withdrawn", who)
        assert AuditEvent.objects.filter(action="proposal.withdrawn").count() == 1
        story.refuses(StateForbids, proposal, story.ines)

    def test_others_do_not_withdraw_it(self, story: Story) -> None:
        with pytest.raises(Refused):
            withdraw_proposal(story.propose().pk, by=story.kestrel["approver"], clock=story.kestrel.clock)

    def test_another_text_than_that_on_the_page_is_not_withdrawn(self, story: Story) -> None:
        with pytest.raises(PreconditionFailed):
            withdraw_proposal(
                story.propose().pk, by=story.admin, if_match=IfMatch('"other"'), clock=story.kestrel.clock
            )

    def test_it_ends_after_fourteen_days(self, story: Story) -> None:
        proposal = story.propose()
        story.kestrel.wait(days=13, hours=23)
        assert expire_proposals(story.kestrel.clock.now()) == 0
        story.kestrel.wait(hours=1)
        assert expire_proposals(story.kestrel.clock.now()) == 1
        proposal.refresh_from_db()
        assert (proposal.state, proposal.ended_by_username, proposal.ended_by_id) == ("expired", "system", None)
        assert AuditEvent.objects.get(action="proposal.expired").actor_type == "system"

    def test_the_worker_ends_it(self, story: Story) -> None:
        proposal = story.propose()
        story.kestrel.wait(days=14)
        run_round(story.kestrel.clock)
        proposal.refresh_from_db()
        assert proposal.state == "expired"

    def test_at_use_it_ends_too(self, story: Story) -> None:
        proposal = story.propose()
        story.kestrel.wait(days=14)
        story.refuses(ProposalExpired, proposal, story.ines)
        proposal.refresh_from_db()
        assert proposal.state == "expired"

    def test_the_same_edit_again_is_the_same_proposal(self, story: Story) -> None:
        first = story.propose()
        assert story.propose() == first
        assert [each.state for each in Proposal.objects.all()] == ["open"]

    def test_the_authors_next_one_takes_its_place(self, story: Story) -> None:
        first, second = story.propose(), story.edit(require_separation_of_duties=False, required_approvals=0)
        first.refresh_from_db()
        assert (first.state, second.state) == ("withdrawn", "open")

    def test_somebody_elses_stands_beside_it(self, story: Story) -> None:
        first, second = story.propose(), story.propose(by=story.ines)
        first.refresh_from_db()
        assert (first.state, second.state) == ("open", "open")
        story.confirm(second, story.admin)
        with pytest.raises(PreconditionFailed):
            story.confirm(first, story.ines)

    def test_a_tightening_is_in_force_at_once(self, story: Story) -> None:
        assert story.edit(required_approvals=3).required_approvals == 3
        assert not Proposal.objects.exists()

    def test_what_tightens_in_one_place_and_weakens_in_another_is_one_proposal(self, story: Story) -> None:
        proposal = story.edit(required_approvals=3, approval_policies=[])
        assert proposal.weakens == ["Environment production: Approval policy two-person does not apply any more."]
        story.confirm(proposal, story.ines)
        production = Environment.objects.get(pk=story.kestrel.production.pk)
        assert (production.required_approvals, production.approval_policies.count()) == (3, 0)


class TestJudgedAgainstWhatIsInForce:
    def test_an_edit_meanwhile_ends_it(self, story: Story) -> None:
        proposal = story.propose()
        story.edit(display_name="Live")
        story.refuses(PreconditionFailed, proposal, story.ines)

    def test_other_sentences_than_those_that_were_read(self, story: Story) -> None:
        """The policy says something else meanwhile, which the environment's tag does not tell."""
        kestrel = story.kestrel
        rules = [
            {"name": "release", "teams": ["release"], "minApprovals": 1},
            {"name": "security", "teams": ["security"], "minApprovals": 1},
        ]
        make_approval_policy(story.admin, "as-strict", clock=kestrel.clock, rules=rules)
        proposal = story.edit(approval_policies=["as-strict"], require_separation_of_duties=False)
        policy = ApprovalPolicy.objects.get(name="as-strict")
        update_approval_policy(by=story.admin, clock=kestrel.clock, policy_id=policy.pk, changes={"rules": rules[:1]})
        story.refuses(ChangedMeanwhile, proposal, story.ines)
        assert Environment.objects.get(pk=kestrel.production.pk).approval_policies.get().name == "two-person"

    def test_other_environments_than_those_that_were_read(self, story: Story) -> None:
        """A policy that guards one more protected environment meanwhile."""
        kestrel = story.kestrel
        policy = ApprovalPolicy.objects.get(name="two-person")
        proposal = update_approval_policy(
            by=story.admin,
            clock=kestrel.clock,
            policy_id=policy.pk,
            changes={"commentRequired": False, "rules": [{"name": "release", "teams": ["release"]}]},
        )
        assert isinstance(proposal, Proposal)
        make_environment(story.admin, "live", 9, clock=kestrel.clock, protected=True, approval_policies=["two-person"])
        story.refuses(ChangedMeanwhile, proposal, story.ines)

    @pytest.mark.parametrize("if_match", [None, "*", '"1"', '"1", "2"'])
    def test_who_confirms_names_the_one_text_that_they_read(self, story: Story, if_match: str | None) -> None:
        proposal = story.propose()
        given = None if if_match is None else IfMatch(if_match)
        if if_match == '"1", "2"':
            given = IfMatch(f'"1", {proposal_tag(proposal)}')
        expected = PreconditionFailed if if_match == '"1"' else NotNamed
        with pytest.raises(expected):
            confirm_proposal(proposal.pk, by=story.ines, if_match=given, clock=story.kestrel.clock)
        assert not story.loosened

    def test_the_author_lost_the_right(self, story: Story) -> None:
        proposal = story.propose()
        end_role(by=story.ines, clock=story.kestrel.clock, user_id=story.admin.account, role="admin")
        story.refuses(Refused, proposal, story.ines)

    def test_the_author_left(self, story: Story) -> None:
        proposal = story.propose()
        end_membership(by=story.ines, clock=story.kestrel.clock, user_id=story.admin.account)
        story.refuses(AuthorGone, proposal, story.ines)


class TestSecondPerson:
    def test_the_author_is_none(self, story: Story) -> None:
        refusal = story.refuses(SeparationOfDuties, story.propose(), story.admin)
        assert refusal.details == {"reasons": ["PROPOSED_BY"]}  # type: ignore[attr-defined]
        assert str(refusal) == "You proposed this, so somebody else must confirm it."

    def test_the_owner_of_the_machine_that_proposed_is_none(self, story: Story) -> None:
        _, text = story.machine(story.ines, "environment:write")
        proposal = story.propose(by=actor_of_token(text))
        assert "You stand behind the machine" in str(story.refuses(SeparationOfDuties, proposal, story.ines))
        story.confirm(proposal, story.admin)

    def test_who_issued_the_token_of_the_machine_is_none(self, story: Story) -> None:
        user, _ = story.machine(story.ines, "environment:write")
        text = make_token(story.kestrel.tenant, user, by=story.admin, clock=story.kestrel.clock)
        proposal = story.propose(by=actor_of_token(text))
        story.refuses(SeparationOfDuties, proposal, story.admin)
        story.refuses(SeparationOfDuties, proposal, story.ines)

    def test_a_machine_confirms_nothing(self, story: Story) -> None:
        _, text = story.machine(story.ines, "policy:publish", "policy:read")
        story.refuses(MachinesDoNotVote, story.propose(), actor_of_token(text))

    def test_an_administrator_whom_the_author_alone_made_is_none(self, story: Story) -> None:
        joined = story.person("dana")
        grant_role(by=story.admin, clock=story.kestrel.clock, user_id=joined.account, role="admin")
        dana = actor_of(User.objects.get(pk=joined.account), story.kestrel.tenant)
        story.refuses(NotVouchedFor, story.propose(by=story.admin), dana)

    def test_who_made_the_author_an_administrator_is_none(self, story: Story) -> None:
        """Else one person could propose by an account of their making, and confirm it."""
        joined = story.person("dana")
        grant_role(by=story.admin, clock=story.kestrel.clock, user_id=joined.account, role="admin")
        dana = actor_of(User.objects.get(pk=joined.account), story.kestrel.tenant)
        proposal = story.propose(by=dana)
        refusal = story.refuses(SeparationOfDuties, proposal, story.admin)
        assert "dana has a role that rests on you alone" in str(refusal)
        story.confirm(proposal, story.ines)

    def test_who_wrote_the_draft_is_none_for_an_account_of_their_making(self, story: Story) -> None:
        """Whichever of the two publishes: both are one person."""
        clock = story.kestrel.clock
        check = {"kind": "manual", "config": {"confirmers": {"users": ["second"]}, "text": "Checked?"}}
        create_promotion_policy(by=story.ines, clock=clock, name="strict", document={"gates": [check]})
        seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="strict")))
        publish_promotion_policy(by=story.admin, clock=clock, name="strict", if_match=seen)
        story.edit(promotion_policy="strict")
        joined = story.person("dana")
        grant_role(by=story.admin, clock=clock, user_id=joined.account, role="admin")
        dana = actor_of(User.objects.get(pk=joined.account), story.kestrel.tenant)
        for writer, publisher in ((story.admin, dana), (dana, story.admin)):
            save_draft(by=writer, clock=clock, name="strict", changes={"gates": []})
            seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="strict")))
            proposal = publish_promotion_policy(by=publisher, clock=clock, name="strict", if_match=seen)
            assert isinstance(proposal, Proposal)
            for by in (story.admin, dana):
                story.refuses(SeparationOfDuties, proposal, by)
            save_draft(by=writer, clock=clock, name="strict", changes={"gates": [check]})

    def test_an_approver_who_could_approve_there_confirms(self, story: Story) -> None:
        assert story.confirm(story.propose(), story.kestrel["second"]).state == "confirmed"

    def test_an_approver_who_could_not_does_not(self, story: Story) -> None:
        story.refuses(Refused, story.propose(), story.person("olga", "approver"))

    @pytest.mark.parametrize("who", ["operator", "viewer", "auditor"])
    def test_others_do_not(self, story: Story, who: str) -> None:
        story.refuses(Refused, story.propose(), story.kestrel[who])

    def test_an_administrator_of_another_tenant_finds_none(self, story: Story) -> None:
        stranger = make_kestrel("merlin", prefix="merlin-")
        story.refuses(Http404, story.propose(), stranger["admin"])
        with pytest.raises(Http404):
            withdraw_proposal(story.propose().pk, by=stranger["admin"], clock=story.kestrel.clock)

    def test_the_platform_owner_confirms_without_a_tag(self, story: Story) -> None:
        proposal = confirm_proposal(
            story.propose().pk, by=command_actor(story.kestrel.tenant), clock=story.kestrel.clock
        )
        assert (proposal.ended_by_id, proposal.ended_by_username) == (None, operating_system_user())
        assert WeakeningEdit.objects.get().confirmed_by_username == operating_system_user()

    def test_what_the_edit_refuses_is_refused_when_it_is_confirmed(self, story: Story) -> None:
        """The policy that it names was disabled meanwhile."""
        make_approval_policy(story.admin, "other", clock=story.kestrel.clock)
        proposal = story.edit(approval_policies=["other"])
        assert isinstance(proposal, Proposal)
        policy = ApprovalPolicy.objects.get(name="other")
        update_approval_policy(
            by=story.admin, clock=story.kestrel.clock, policy_id=policy.pk, changes={}, enabled=False
        )
        story.refuses(Invalid, proposal, story.ines)


@pytest.mark.slow
def test_a_process_that_loads_no_pages_knows_every_kind() -> None:
    """As `manage.py confirm_proposal` and the worker do."""
    told = "import django; django.setup(); import promotions.actions.proposals as p; print(*p.proposals.ACTIONS)"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert sorted(found.stdout.split()) == sorted(TITLES)
