"""/proposals, and where a proposal would apply (ui.md, Pages)."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.etags import proposal_tag
from policies.models import ApprovalPolicy, Proposal
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import make_person
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db

SENTENCE = "Environment production: Separation of duties: the release&#x27;s creator may vote again."
LINE = "An edit waits for a second person"


@pytest.fixture
def proposal(kestrel: Kestrel) -> Proposal:
    found = update_environment(
        by=kestrel["admin"],
        clock=DATABASE_CLOCK,
        environment_id=kestrel.production.pk,
        changes={"require_separation_of_duties": False},
    )
    assert isinstance(found, Proposal)
    return found


@pytest.fixture
def ines(kestrel: Kestrel) -> Client:
    client = Client()
    client.force_login(make_person(kestrel.tenant, "ines", roles=["admin"]))
    return client


def text(response: Any) -> str:
    assert response.status_code == 200, response.content
    return " ".join(response.content.decode().split())


def post(client: Client, name: str, proposal: Proposal, tag: str) -> Any:
    return client.post(reverse(name, args=[proposal.pk]), {"tag": tag}, follow=True)


def refused_on(response: Any) -> str:
    """What the page says of the refused action."""
    return str(response.content.decode().partition('class="error-summary"')[2].partition("</div>")[0])


def loosened() -> bool:
    return not Environment.objects.get(name="production").require_separation_of_duties


def test_it_waits_in_the_list_and_says_what_becomes_easier(kestrel: Kestrel, proposal: Proposal) -> None:
    client = client_of(kestrel, "viewer")
    for path in (reverse("proposals"), reverse("proposal", args=[proposal.pk])):
        assert SENTENCE in text(client.get(path))
    page = text(client.get(reverse("proposal", args=[proposal.pk])))
    assert "requireSeparationOfDuties" in page


def test_it_says_what_the_policies_ask_for_that_it_names(kestrel: Kestrel) -> None:
    found = update_environment(
        by=kestrel["admin"],
        clock=DATABASE_CLOCK,
        environment_id=kestrel.production.pk,
        changes={"approval_policies": []},
    )
    assert isinstance(found, Proposal)
    page = text(client_of(kestrel, "viewer").get(reverse("proposal", args=[found.pk])))
    assert "would not be in force any more" in page
    assert "The requester never votes." in page
    assert ApprovalPolicy.objects.get(name="two-person").current.digest.removeprefix("sha256:")[:12] in page


def test_an_edit_on_the_page_leads_to_its_proposal(kestrel: Kestrel) -> None:
    response = client_of(kestrel, "admin").post(
        reverse("archive_environment", args=[kestrel.production.pk]), follow=True
    )
    assert response.redirect_chain[-1][0] == reverse("proposal", args=[Proposal.objects.get().pk])
    assert "Nothing changed yet" in text(response)


def test_a_second_person_confirms_what_the_page_shows(ines: Client, proposal: Proposal) -> None:
    page = text(ines.get(reverse("proposal", args=[proposal.pk])))
    tag = proposal_tag(proposal)
    assert tag.replace('"', "&quot;") in page
    assert "The edit is in force from now on" in text(post(ines, "confirm_proposal", proposal, tag))
    assert loosened()
    page = text(ines.get(reverse("proposal", args=[proposal.pk])))
    assert "Confirmed" in page
    assert reverse("confirm_proposal", args=[proposal.pk]) not in page


@pytest.mark.parametrize("tag", ["", "*", '"other"'])
def test_another_text_is_not_confirmed(ines: Client, proposal: Proposal, tag: str) -> None:
    response = ines.post(reverse("confirm_proposal", args=[proposal.pk]), {"tag": tag})
    assert response.status_code in (400, 412)
    assert not loosened()


def test_its_author_sees_why_not(kestrel: Kestrel, proposal: Proposal) -> None:
    client = client_of(kestrel, "admin")
    assert "somebody else must confirm it" in text(client.get(reverse("proposal", args=[proposal.pk])))
    response = client.post(reverse("confirm_proposal", args=[proposal.pk]), {"tag": proposal_tag(proposal)})
    assert response.status_code == 403
    assert "somebody else must confirm it" in refused_on(response)
    assert SENTENCE in " ".join(response.content.decode().split())
    assert not loosened()


def test_one_that_ended_meanwhile_says_so_and_shows_how(kestrel: Kestrel, ines: Client, proposal: Proposal) -> None:
    tag = proposal_tag(proposal)
    post(client_of(kestrel, "admin"), "withdraw_proposal", proposal, tag)
    for name in ("confirm_proposal", "withdraw_proposal"):
        response = ines.post(reverse(name, args=[proposal.pk]), {"tag": tag})
        assert response.status_code in (409, 412)
        assert refused_on(response)
        assert "Withdrawn</span>" in response.content.decode()


def test_its_author_withdraws_it(kestrel: Kestrel, proposal: Proposal) -> None:
    page = post(client_of(kestrel, "admin"), "withdraw_proposal", proposal, proposal_tag(proposal))
    assert "Withdrawn. Nothing changed." in text(page)
    proposal.refresh_from_db()
    assert proposal.state == "withdrawn"


def test_another_tenant_finds_nothing(proposal: Proposal) -> None:
    client = client_of(make_kestrel("merlin", prefix="merlin-"), "admin")
    assert client.get(reverse("proposal", args=[proposal.pk])).status_code == 404
    assert SENTENCE not in text(client.get(reverse("proposals")))
    for name in ("confirm_proposal", "withdraw_proposal"):
        assert post(client, name, proposal, proposal_tag(proposal)).status_code == 404


def test_it_stands_on_the_board_and_where_it_would_apply(kestrel: Kestrel, proposal: Proposal) -> None:
    client = client_of(kestrel, "viewer")
    production = reverse("environment", args=[kestrel.production.pk])
    assert "1 edit would make entering a protected environment easier" in text(client.get(reverse("board")))
    assert "1 waits" in text(client.get(reverse("policies")))
    page = text(client.get(production))
    assert LINE in page
    assert reverse("proposal", args=[proposal.pk]) in page
    assert LINE not in text(client.get(reverse("environment", args=[kestrel.staging.pk])))
    post(client_of(kestrel, "admin"), "withdraw_proposal", proposal, proposal_tag(proposal))
    assert LINE not in text(client.get(production))


def test_one_about_a_policy_stands_on_its_page_and_on_that_of_the_environment(kestrel: Kestrel) -> None:
    policy = ApprovalPolicy.objects.get(name="two-person")
    rules = [{"name": "release", "teams": ["release"]}]
    update_approval_policy(by=kestrel["admin"], clock=DATABASE_CLOCK, policy_id=policy.pk, changes={"rules": rules})
    client = client_of(kestrel, "viewer")
    for path in (
        reverse("approval_policy", args=[policy.pk]),
        reverse("environment", args=[kestrel.production.pk]),
    ):
        assert LINE in text(client.get(path))


def test_an_edit_of_a_policy_in_the_admin_leads_to_its_proposal(kestrel: Kestrel) -> None:
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    policy = ApprovalPolicy.objects.get(name="two-person")
    path = reverse("admin:policies_approvalpolicy_change", args=[policy.pk])
    form = client.get(path).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    data = {name: "" if value is None else value for name, value in data.items() if value is not False}
    data["rules"] = "\n".join(data["rules"].splitlines()[:1])
    versions = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
    response = client.post(path, {**data, **versions}, follow=True)
    assert response.redirect_chain, response.content.decode()
    assert response.redirect_chain[-1][0] == reverse("proposal", args=[Proposal.objects.get().pk])
    policy.refresh_from_db()
    assert policy.current is not None
    assert policy.current.version == 1
