"""Products and the people of teams in Django admin: by the same actions, refusals beside the fields (ui.md, /admin)."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from policies.models import Proposal
from promotions.actions.products import archive_product
from stellapromote.accounts.models import ImageRepository, Product, TeamGrant
from stellapromote.audit.models import AuditEvent
from tests.factories import make_approval_policy, make_environment, make_person, make_tenant
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.signed_in import signed_in

pytestmark = pytest.mark.django_db

ADD = "/admin/accounts/product/add/"
IMAGES = "ghcr.io/acme/ledger"
LEDGER = {"slug": "ledger", "display_name": "", "image_repositories": f"{IMAGES}\r\n", "owner_teams": "release"}


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel(now=True)


@pytest.fixture
def admin(kestrel: Kestrel) -> Client:
    return client_of(kestrel, "admin")


def errors(page: Any) -> dict[str, list[str]]:
    """What stands beside each field; `__all__` is above them."""
    assert page.status_code == 200, page.headers.get("Location")
    return dict(page.context["adminform"].form.errors)


def changed(client: Client, product: Product, **fields: Any) -> Any:
    """The form of the product as it is shown, sent with these values."""
    path = f"/admin/accounts/product/{product.pk}/change/"
    shown = client.get(path).context["adminform"].form.initial
    names = ("seen", "display_name", "description", "image_repositories", "owner_teams", "path")
    return client.post(path, {name: shown[name] for name in names} | fields)


def guarded_by_owners(kestrel: Kestrel) -> None:
    """Production asks the owners of the product from now on."""
    Product.objects.filter(slug="main").update(owner_teams=["release"])
    make_approval_policy(kestrel["admin"], "owned", rules=[{"name": "owners", "teams": ["@owners"]}])
    make_environment(kestrel["admin"], "vault", 9, protected=True, approval_policies=["owned"])


def test_a_product_is_made_and_changed_by_its_actions(kestrel: Kestrel, admin: Client) -> None:
    assert admin.post(ADD, LEDGER).status_code == 302
    ledger = Product.objects.get(slug="ledger")
    assert (ledger.display_name, ledger.owner_teams, ledger.path) == ("ledger", ["release"], None)
    assert ImageRepository.objects.get(product=ledger).name == IMAGES
    path = [kestrel.dev.name, kestrel.staging.name]
    assert changed(admin, ledger, owner_teams=["security"], path=path, slug="other").status_code == 302
    ledger.refresh_from_db()
    assert (ledger.slug, ledger.owner_teams, ledger.path, ledger.version) == ("ledger", ["security"], path, 2)
    told = AuditEvent.objects.filter(resource="product", resource_id=ledger.pk).values_list("action", flat=True)
    assert sorted(told) == ["product.created", "product.updated"]


def test_what_loosens_is_stored_as_a_proposal_and_not_shown_as_done(kestrel: Kestrel, admin: Client) -> None:
    guarded_by_owners(kestrel)
    added = admin.post(ADD, LEDGER)
    proposal = Proposal.objects.get(kind="product.create")
    assert added.headers["Location"] == f"/proposals/{proposal.pk}"
    assert not Product.objects.filter(slug="ledger").exists()
    main = Product.objects.get(slug="main")
    answer = changed(admin, main, owner_teams=["release", "security"])
    proposal = Proposal.objects.get(kind="product.update")
    assert answer.headers["Location"] == f"/proposals/{proposal.pk}"
    main.refresh_from_db()
    assert (main.owner_teams, main.version) == (["release"], 1)
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        ({"slug": "Ledger"}, "slug", "lower-case"),
        ({"slug": "main"}, "slug", "There is a product main already."),
        ({"owner_teams": "nobody"}, "owner_teams", "not one of the available choices"),
        ({"path": "vault"}, "path", "not one of the available choices"),
        ({"path": "dev"}, "path", "staging"),
        ({"image_repositories": "a b"}, "image_repositories", "Name a repository"),
        ({"display_name": "\u202e"}, "display_name", "direction-changing"),
    ],
)
def test_what_is_refused_of_a_product_is_not_stored(
    kestrel: Kestrel, admin: Client, given: dict[str, str], field: str, told: str
) -> None:
    found = errors(admin.post(ADD, LEDGER | given))
    assert list(found) == [field]
    assert told in found[field][0]
    assert [each.slug for each in Product.objects.all()] == ["main"]


def test_an_edit_of_what_was_not_seen_is_refused(kestrel: Kestrel, admin: Client) -> None:
    main = Product.objects.get(slug="main")
    [told] = errors(changed(admin, main, display_name="Mine", seen='"other"'))["__all__"]
    assert "changed" in told
    main.refresh_from_db()
    assert main.version == 1


def test_an_archived_product_and_one_of_another_tenant_do_not_change(kestrel: Kestrel, admin: Client) -> None:
    main = Product.objects.get(slug="main")
    path = f"/admin/accounts/product/{main.pk}/change/"
    stranger = signed_in(make_person(make_tenant("osprey"), "stranger", roles=["admin"]))
    assert stranger.post(path, {"display_name": "Mine"}).status_code == 302
    archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="main")
    assert admin.get(path).status_code == 200
    assert admin.post(path, {"display_name": "Mine"}).status_code == 403
    main.refresh_from_db()
    assert (main.display_name, main.version) == ("main", 2)


def test_a_member_is_put_into_a_team_by_its_action(kestrel: Kestrel, admin: Client) -> None:
    add = "/admin/accounts/teamgrant/add/"
    team = kestrel.tenant.teams.get(slug="release")
    given = {"username": "viewer", "team": str(team.pk), "reason": "Joins"}
    assert admin.post(add, given).status_code == 302
    grant = TeamGrant.objects.get(user__username="viewer")
    assert (grant.team, grant.reason, grant.granted_by_id) == (team, "Joins", kestrel["admin"].user_id)
    assert AuditEvent.objects.get(action="team.granted", resource_id=grant.user_id).actor_id == grant.granted_by_id
    assert errors(admin.post(add, given)) == {"team": ["They hold release already."]}
    assert list(errors(admin.post(add, given | {"username": "nobody"}))) == ["username"]
    assert list(errors(admin.post(add, given | {"username": "admin"}))) == ["__all__"]
    other = make_person(make_tenant("osprey"), "stranger", roles=["approver"], teams=["theirs"])
    assert list(errors(admin.post(add, given | {"team": str(other.team_grants.get().team_id)}))) == ["team"]
    assert TeamGrant.objects.filter(user__username="viewer").count() == 1
