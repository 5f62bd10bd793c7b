"""/products and below."""

import re

from django.test import Client

from promotions.actions.products import create_product
from stellapromote.accounts.models import Product
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.views.pages import text


def product(kestrel: Kestrel, slug: str = "ledger", **fields: str) -> Product:
    return create_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, **fields)


def row_of(shown: str, slug: str) -> str:
    [row] = re.findall(rf'<tr data-row>(?:(?!</tr>).)*href="/products/{slug}".*?</tr>', shown, flags=re.DOTALL)
    return str(row)


def version(client: Client, slug: str = "ledger") -> str:
    found = re.search(r'name="version" value="(\d+)"', text(client, f"/products/{slug}"))
    assert found is not None
    return found[1]


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
    client.post("/products/ledger", {"display_name": "The ledger", "description": "", "version": version(client)})
    client.post("/products/ledger/archive", {"version": version(client)})
    [made] = Product.objects.filter(tenant=kestrel.tenant, slug="ledger")
    assert (made.display_name, made.description, made.version) == ("The ledger", "", 3)
    assert made.archived_at is not None
    shown = text(client, "/products/ledger")
    assert "Archived: it takes no new release and no new request." in shown
    assert 'action="/products/ledger' not in shown


def test_what_another_person_changed_meanwhile_is_not_written_over(kestrel: Kestrel) -> None:
    product(kestrel)
    client = client_of(kestrel, "admin")
    seen = version(client)
    client.post("/products/ledger", {"display_name": "First", "description": "", "version": seen})
    again = client.post("/products/ledger", {"display_name": "Second", "description": "Typed", "version": seen})
    assert (again.status_code, 'value="Second"' in again.content.decode()) == (412, True)
    assert client.post("/products/ledger/archive", {"version": seen}).status_code == 412
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
    changed = {"display_name": "x", "description": "", "version": 1}
    assert client.post("/products/main", changed).status_code == 403
    assert client.post("/products/main/archive", {"version": 1}).status_code == 403
    [main] = Product.objects.filter(tenant=kestrel.tenant)
    assert (main.display_name, main.archived_at) == ("main", None)


def test_a_stranger_sees_none_of_it(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    product(other)
    client = client_of(kestrel, "admin")
    assert "ledger" not in text(client, "/products")
    assert client.get("/products/ledger").status_code == 404
    assert client.post("/products/ledger/archive", {"version": 1}).status_code == 404
    assert Product.objects.get(tenant=other.tenant, slug="ledger").archived_at is None
