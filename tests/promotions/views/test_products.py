"""/products and below."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from policies.models import Proposal
from promotions.actions.products import create_product, update_product
from stellapromote.accounts.models import ImageRepository, Product
from tests.factories import make_approval_policy, make_environment
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.views.pages import text
from tests.proposals import confirmed


def product(kestrel: Kestrel, slug: str = "ledger", **fields: Any) -> Product:
    made = create_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, **fields)
    assert isinstance(made, Product)
    return made


def row_of(shown: str, slug: str) -> str:
    [row] = re.findall(rf'<tr data-row>(?:(?!</tr>).)*href="/products/{slug}".*?</tr>', shown, flags=re.DOTALL)
    return str(row)


def seen(client: Client, slug: str = "ledger") -> str:
    """The tag of the product that its page shows."""
    found = re.search(r'name="seen" value="([^"]+)"', text(client, f"/products/{slug}"))
    assert found is not None
    return unescape(found[1])


def test_each_product_stands_with_its_open_promotions(kestrel: Kestrel) -> None:
    product(kestrel, display_name="The ledger")
    kestrel.waits_for_production()
    kestrel.waits_for_production(product="ledger")
    kestrel.waits_for_production(product="ledger")
    shown = text(client_of(kestrel, "viewer"), "/products")
    for slug, name, count in (("main", "main", 1), ("ledger", "The ledger", 2)):
        row = row_of(shown, slug)
        assert f"<bdi>{name}</bdi>" in row
        assert f'<td data-label="Open promotions" class="num">{count}</td>' in row
    assert 'href="/products" aria-current="page"' in shown
    detail = text(client_of(kestrel, "viewer"), "/products/ledger")
    assert "<dt>Open promotions</dt><dd>2</dd>" in detail
    assert detail.count("<tr data-row>") == 2


def test_an_administrator_makes_changes_and_archives_a_product(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "admin")
    answer = client.post("/products", {"slug": "ledger", "display_name": "Ledger", "description": "Books"})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/products/ledger")
    client.post("/products/ledger", {"display_name": "The ledger", "description": "", "seen": seen(client)})
    client.post("/products/ledger/archive", {"seen": seen(client)})
    [made] = Product.objects.filter(tenant=kestrel.tenant, slug="ledger")
    assert (made.display_name, made.description, made.version) == ("The ledger", "", 3)
    assert made.archived_at is not None
    shown = text(client, "/products/ledger")
    assert "Archived: it takes no new release and no new request." in shown
    assert 'action="/products/ledger' not in shown


def test_a_product_has_its_owners_from_the_start(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "admin")
    assert 'value="security"' in text(client, "/products")
    assert client.post("/products", {"slug": "ledger", "owner_teams": ["security"]}).status_code == 302
    made = Product.objects.get(tenant=kestrel.tenant, slug="ledger")
    assert (made.display_name, made.owner_teams) == ("ledger", ["security"])


def test_what_another_person_changed_meanwhile_is_not_written_over(kestrel: Kestrel) -> None:
    product(kestrel)
    client = client_of(kestrel, "admin")
    read = seen(client)
    client.post("/products/ledger", {"display_name": "First", "description": "", "seen": read})
    again = client.post("/products/ledger", {"display_name": "Second", "description": "Typed", "seen": read})
    assert (again.status_code, 'value="Second"' in again.content.decode()) == (412, True)
    assert client.post("/products/ledger/archive", {"seen": read}).status_code == 412
    made = Product.objects.get(tenant=kestrel.tenant, slug="ledger")
    assert (made.display_name, made.archived_at) == ("First", None)


def test_a_name_that_is_taken_is_said_beside_it(kestrel: Kestrel) -> None:
    answer = client_of(kestrel, "admin").post("/products", {"slug": "main", "display_name": "Main again"})
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert "There is a product main already" in shown.partition('id="id_slug_error"')[2].partition("</div>")[0]
    assert 'value="Main again"' in shown


def test_a_wrong_name_is_refused_beside_it(kestrel: Kestrel) -> None:
    answer = client_of(kestrel, "admin").post("/products", {"slug": "Main Street", "display_name": "x"})
    assert (answer.status_code, 'id="id_slug_error"' in answer.content.decode()) == (400, True)


def test_others_read_and_change_nothing(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "operator")
    for path in ("/products", "/products/main"):
        assert "csrfmiddlewaretoken" not in text(client, path).partition("<main")[2]
    assert client.post("/products", {"slug": "ledger", "display_name": "x"}).status_code == 403
    changed = {"display_name": "x", "description": "", "seen": '"1"'}
    assert client.post("/products/main", changed).status_code == 403
    assert client.post("/products/main/archive", {"seen": '"1"'}).status_code == 403
    [main] = Product.objects.filter(tenant=kestrel.tenant)
    assert (main.display_name, main.archived_at) == ("main", None)


def test_a_stranger_sees_none_of_it(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    product(other)
    client = client_of(kestrel, "admin")
    assert "ledger" not in text(client, "/products")
    assert client.get("/products/ledger").status_code == 404
    assert client.post("/products/ledger/archive", {"seen": '"1"'}).status_code == 404
    assert Product.objects.get(tenant=other.tenant, slug="ledger").archived_at is None


def test_the_list_of_repositories_is_shown_and_changed(kestrel: Kestrel) -> None:
    product(kestrel)
    client = client_of(kestrel, "admin")
    form = {"display_name": "Ledger", "description": "", "seen": seen(client)}
    lines = "GHCR.io/acme/ledger\r\n\r\n  nginx "
    assert client.post("/products/ledger", {**form, "image_repositories": lines}).status_code == 302
    shown = text(client, "/products/ledger")
    for name in ("docker.io/library/nginx", "ghcr.io/acme/ledger"):
        assert f'<li class="mono">{name}</li>' in shown
    assert "docker.io/library/nginx\nghcr.io/acme/ledger</textarea>" in shown
    form["seen"] = seen(client)
    client.post("/products/ledger", {**form, "image_repositories": ""})
    assert not ImageRepository.objects.filter(tenant=kestrel.tenant).exists()


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ("ghcr.io/acme/ok\nno repository", 400, "Name a repository, such as"),
        ("ghcr.io/acme/taken", 409, "ghcr.io/acme/taken belongs to product main"),
    ],
)
def test_a_repository_that_cannot_be_claimed_is_said_beside_the_list(
    kestrel: Kestrel, typed: str, status: int, said: str
) -> None:
    product(kestrel)
    update_product(
        by=kestrel["admin"],
        clock=kestrel.clock,
        slug="main",
        changes={"image_repositories": ["ghcr.io/acme/taken"]},
    )
    client = client_of(kestrel, "admin")
    form = {"display_name": "Ledger", "description": "", "seen": seen(client), "image_repositories": typed}
    answer = client.post("/products/ledger", form)
    shown = answer.content.decode()
    assert answer.status_code == status
    assert said in shown.partition('id="id_image_repositories_error"')[2].partition("</div>")[0]
    assert f"{typed}</textarea>" in shown


def test_a_page_that_was_read_before_a_release_bound_a_repository_changes_nothing(kestrel: Kestrel) -> None:
    product(kestrel)
    client = client_of(kestrel, "admin")
    form = {"display_name": "Ledger", "description": "", "seen": seen(client), "image_repositories": ""}
    kestrel.release(product="ledger")
    assert client.post("/products/ledger", form).status_code == 412
    assert ImageRepository.objects.get(tenant=kestrel.tenant).name == "registry.example/ledger"


def test_repositories_are_shared_and_freed(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "admin")
    answer = client.post("/image-repositories", {"name": "nginx"})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/image-repositories")
    shown = text(client, "/image-repositories")
    assert "docker.io/library/nginx" in shown
    assert "Not decided" not in shown
    assert 'href="/products" aria-current="true"' in shown
    row = ImageRepository.objects.get(tenant=kestrel.tenant)
    assert client.post(f"/image-repositories/{row.pk}/free").status_code == 302
    assert "No repository is shared." in text(client, "/image-repositories")


def test_what_is_not_decided_is_listed_for_the_administrator(kestrel: Kestrel) -> None:
    ImageRepository.objects.create(tenant=kestrel.tenant, name="ghcr.io/acme/pay", created_at=kestrel.clock.now())
    client = client_of(kestrel, "admin")
    undecided = text(client, "/image-repositories").partition("Not decided")[2]
    assert "ghcr.io/acme/pay" in undecided
    client.post("/image-repositories", {"name": "ghcr.io/acme/pay"})
    assert "Not decided" not in text(client, "/image-repositories")


def test_one_that_is_taken_is_said_beside_its_name(kestrel: Kestrel) -> None:
    kestrel.release()
    answer = client_of(kestrel, "admin").post("/image-repositories", {"name": "registry.example/*"})
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert "registry.example/app belongs to product main" in shown
    assert 'value="registry.example/*"' in shown


def test_others_read_the_repositories_and_change_nothing(kestrel: Kestrel) -> None:
    client_of(kestrel, "admin").post("/image-repositories", {"name": "nginx"})
    row = ImageRepository.objects.get(tenant=kestrel.tenant)
    client = client_of(kestrel, "operator")
    assert "csrfmiddlewaretoken" not in text(client, "/image-repositories").partition("<main")[2]
    assert client.post("/image-repositories", {"name": "redis"}).status_code == 403
    assert client.post(f"/image-repositories/{row.pk}/free").status_code == 403
    other = make_kestrel("other", prefix="other-")
    stranger = client_of(other, "admin")
    assert "nginx" not in text(stranger, "/image-repositories")
    assert stranger.post(f"/image-repositories/{row.pk}/free").status_code == 404
    assert ImageRepository.objects.get(tenant=kestrel.tenant) == row


def test_owner_teams_are_chosen_and_shown(kestrel: Kestrel) -> None:
    product(kestrel)
    client = client_of(kestrel, "admin")
    form = {"display_name": "Ledger", "description": "", "seen": seen(client), "image_repositories": ""}
    assert client.post("/products/ledger", {**form, "owner_teams": ["release", "security"]}).status_code == 302
    shown = text(client, "/products/ledger")
    assert "<dt>Owner teams</dt><dd>release, security</dd>" in shown
    assert re.search(r'value="security"[^>]* checked', shown)
    client.post("/products/ledger", {**form, "seen": seen(client)})
    assert Product.objects.get(slug="ledger").owner_teams == []
    wrong = client.post("/products/ledger", {**form, "seen": seen(client), "owner_teams": ["nobody"]})
    assert (wrong.status_code, 'id="id_owner_teams_error"' in wrong.content.decode()) == (400, True)


OWNED = [{"name": "owners", "teams": ["@owners"]}]


def test_another_owner_team_leads_to_its_proposal(kestrel: Kestrel) -> None:
    product(kestrel, owner_teams=["security"])
    make_approval_policy(kestrel["admin"], "owned", clock=kestrel.clock, rules=OWNED)
    make_environment(kestrel["admin"], "live", 4, clock=kestrel.clock, approval_policies=["owned"], protected=True)
    client = client_of(kestrel, "admin")
    form = {"display_name": "Ledger", "description": "", "seen": seen(client), "image_repositories": ""}
    answer = client.post("/products/ledger", {**form, "owner_teams": ["security", "release"]})
    [proposal] = Proposal.objects.all()
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, f"/proposals/{proposal.pk}")
    assert "Change product ledger" in text(client, f"/proposals/{proposal.pk}")
    shown = text(client, "/products/ledger")
    assert "team release may also approve as owner of product ledger" in shown
    assert "<dt>Owner teams</dt><dd>security</dd>" in shown


@pytest.mark.parametrize("blind", [False, True])
def test_a_promotion_says_who_its_owners_are(kestrel: Kestrel, blind: bool) -> None:
    product(kestrel, owner_teams=["security", "release"])
    make_approval_policy(kestrel["admin"], "owned", clock=kestrel.clock, rules=OWNED, blind=blind)
    guarded = make_environment(kestrel["admin"], "first", 0, clock=kestrel.clock, approval_policies=["owned"])
    promotion = kestrel.ask(kestrel.release(product="ledger"), guarded)
    shown = text(client_of(kestrel, "requester"), f"/promotions/{promotion.pk}")
    assert "<bdi>1 approval by the owners of ledger (release and security)</bdi>" in shown


def test_an_image_that_is_shared_leads_to_its_proposal(kestrel: Kestrel) -> None:
    product(kestrel, owner_teams=["security"])
    make_approval_policy(kestrel["admin"], "owned", clock=kestrel.clock, rules=OWNED)
    make_environment(kestrel["admin"], "live", 4, clock=kestrel.clock, approval_policies=["owned"], protected=True)
    client = client_of(kestrel, "admin")
    answer = client.post("/image-repositories", {"name": "nginx"})
    [proposal] = Proposal.objects.all()
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, f"/proposals/{proposal.pk}")
    row = ImageRepository.objects.create(
        tenant=kestrel.tenant, name="ghcr.io/acme/base", is_shared=True, created_at=kestrel.clock.now()
    )
    client.post(f"/image-repositories/{row.pk}/free")
    assert Proposal.objects.filter(kind="image_repository.free", resource_id=str(row.pk)).count() == 1


def choices(shown: str) -> list[tuple[str, bool]]:
    """The environments of the form, with whether each is on the path."""
    found = re.findall(r'<input type="checkbox" name="path" value="([^"]+)"([^>]*)>', shown)
    return [(name, "checked" in attributes) for name, attributes in found]


def test_a_path_is_chosen_without_scripts_and_shown(kestrel: Kestrel) -> None:
    product(kestrel)
    client = client_of(kestrel, "admin")
    shown = text(client, "/products/ledger")
    assert "All environments, in promotion order." in shown
    assert choices(shown) == [("dev", False), ("staging", False), ("production", False)]
    assert "Staging (on every path)" in shown
    form = {"display_name": "Ledger", "description": "", "image_repositories": ""}
    answer = client.post("/products/ledger", {**form, "seen": seen(client), "path": ["staging", "dev"]})
    assert answer.status_code == 302
    assert Product.objects.get(slug="ledger").path == ["dev", "staging"]
    shown = text(client, "/products/ledger")
    assert choices(shown) == [("dev", True), ("staging", True), ("production", False)]
    [row] = re.findall(r"<dt>Path</dt>\s*<dd>(.*?)</dd>", shown, flags=re.DOTALL)
    assert re.findall(r"<bdi>(.*?)</bdi>", row) == ["Dev", "Staging"]
    refused = client.post("/products/ledger", {**form, "seen": seen(client), "path": ["dev"]})
    assert (refused.status_code, 'id="id_path_error"' in refused.content.decode()) == (400, True)
    assert "staging must be on every path: add it." in refused.content.decode()
    assert choices(refused.content.decode()) == [("dev", True), ("staging", False), ("production", False)]
    client.post("/products/ledger", {**form, "seen": seen(client)})
    assert Proposal.objects.get().weakens == [
        "Environment production: releases of product ledger may enter it, after staging."
    ]


def test_a_path_with_fewer_steps_leads_to_its_proposal(kestrel: Kestrel) -> None:
    product(kestrel)
    admin, clock = kestrel["admin"], kestrel.clock
    changes = {"required_on_every_path": False}
    update_environment(by=admin, clock=clock, environment_id=kestrel.staging.pk, changes=changes)
    client = client_of(kestrel, "admin")
    form = {"display_name": "Ledger", "description": "", "seen": seen(client), "image_repositories": ""}
    answer = client.post("/products/ledger", {**form, "path": ["dev", "production"]})
    [proposal] = Proposal.objects.all()
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, f"/proposals/{proposal.pk}")
    shown = text(client, f"/proposals/{proposal.pk}")
    assert "releases of product ledger need not pass staging before it any more" in shown
    confirmed(proposal, clock)
    release = kestrel.release(product="ledger")
    asking = client_of(kestrel, "requester")
    page = f"/promotions/new?release={release.pk}"
    offered = text(asking, page).partition('id="step-target"')[2]
    assert ("Dev" in offered, "Staging" in offered) == (True, False)
    assert "must be deployed in Dev before it may enter Production" in offered
    chosen = text(asking, f"{page}&target={kestrel.staging.pk}")
    assert "do not enter Staging, which is not on the path of the product: dev, production." in chosen
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.ask(release, kestrel.production)
    assert "<bdi>Dev</bdi>" in text(asking, f"/promotions/{promotion.pk}").partition("</h1>")[2].partition("</p>")[0]
    assert '<span class="muted small">from <bdi>Dev</bdi></span>' in text(asking, "/")
    kestrel.waits_for_production()
    assert text(asking, "/").count('<span class="muted small">from <bdi>') == 1
