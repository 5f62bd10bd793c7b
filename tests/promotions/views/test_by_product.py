"""The pages of all products, for one of them: board, inbox and lists."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.actions.products import archive_product, create_product
from promotions.models import Promotion
from promotions.pages import board
from promotions.pages import releases as releases_page
from promotions.pages.board import thirty_days
from promotions.reading import promotion_filters
from promotions.views import promotions as promotions_page
from stellapromote.clock import rfc3339
from tests.factories import make_freeze, make_person
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.views.pages import text
from tests.signed_in import signed_in

PAGES = ("/", "/approvals", "/promotions", "/releases", "/promotions/new")
CHOICE = re.compile(r'<select name="product".*?</select>', re.DOTALL)
OPTION = re.compile(r'<option value="([^"]*)"( selected)?>([^<]*)</option>')


def offered(shown: str) -> dict[str, str]:
    """The choices of the filter by what they say; the chosen one is marked."""
    choice = CHOICE.search(shown)
    assert choice is not None
    return {value: name + " *" * bool(chosen) for value, chosen, name in OPTION.findall(choice[0])}


def numbers(shown: str) -> set[int]:
    return {int(number) for number in re.findall(r'<span class="muted">#(\d+)</span>', shown)}


def two_products(kestrel: Kestrel) -> tuple[Promotion, Promotion]:
    """One promotion of each waits for production."""
    return kestrel.waits_for_production(), kestrel.waits_for_production(product="ledger")


def tag_of(shown: str) -> str:
    found = re.search(r'data-poll="([^"]+)"', shown)
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize("path", PAGES)
def test_a_product_is_chosen_where_there_is_another_one(kestrel: Kestrel, path: str) -> None:
    client = client_of(kestrel, "requester")
    assert CHOICE.search(text(client, path)) is None
    kestrel.waits_for_production()
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger", display_name="The ledger")
    assert offered(text(client, path)) == {
        "": "All products *",
        "ledger": "The ledger (ledger)",
        "main": "main",
    }
    archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
    assert CHOICE.search(text(client, path)) is None
    assert offered(text(client, f"{path}?product=ledger"))["ledger"] == "ledger *"


@pytest.mark.parametrize("path", ["/approvals?", "/approvals?tab=open&", "/approvals?tab=mine&", "/promotions?"])
def test_a_list_of_one_product_shows_no_other(kestrel: Kestrel, path: str) -> None:
    main, ledger = two_products(kestrel)
    client = client_of(kestrel, "requester" if "mine" in path else "approver")
    assert numbers(text(client, path)) >= {main.number, ledger.number}
    shown = text(client, f"{path}product=ledger")
    assert ledger.number in numbers(shown)
    of_ledger = Promotion.objects.filter(product="ledger").values_list("number", flat=True)
    assert numbers(shown) <= set(of_ledger)
    assert offered(shown)["ledger"] == "ledger *"


def test_the_board_says_which_products_are_frozen(kestrel: Kestrel) -> None:
    two_products(kestrel)
    now = kestrel.clock.now()
    start, end = (rfc3339(now + timedelta(days=days)) for days in (0, 9999))
    make_freeze(kestrel["admin"], kestrel.dev, start, end, clock=kestrel.clock, products=["ledger"])
    client = client_of(kestrel, "approver")
    assert "frozen for ledger" in text(client, "/")
    assert "frozen, opens" in text(client, "/?product=ledger")
    assert "frozen" not in text(client, "/?product=main")


@pytest.mark.parametrize("path", ["/releases", "/promotions/new"])
def test_releases_of_one_product_are_found_with_a_part_of_their_name(kestrel: Kestrel, path: str) -> None:
    kestrel.release(name="a-main")
    for name in ("a-ledger", "b-ledger"):
        kestrel.release(name=name, product="ledger")
    client = client_of(kestrel, "requester")

    def names(query: str) -> list[str]:
        return re.findall(r"<bdi>([ab]-\w+)</bdi>", text(client, f"{path}?{query}"))

    assert names("product=ledger") == ["b-ledger", "a-ledger"]
    assert names("product=ledger&name=a-") == ["a-ledger"]
    assert names("product=main") == ["a-main"]
    assert names("product=main&name=b-") == []


def test_the_board_of_one_product_shows_what_runs_and_moves_of_it(kestrel: Kestrel) -> None:
    main, ledger = two_products(kestrel)
    flying = kestrel.approved_for_production(product="ledger")
    kestrel.reports(flying, "started")
    client = client_of(kestrel, "approver")
    assert main.number in numbers(text(client, "/"))
    shown = text(client, "/?product=ledger")
    of_ledger = set(Promotion.objects.filter(product="ledger").values_list("number", flat=True))
    assert {ledger.number, flying.number} <= numbers(shown) <= of_ledger
    assert re.findall(r'<th scope="row"><bdi>(.*?)</bdi></th>', shown) == ["ledger"]
    assert main.release.name not in shown
    assert "1 promotion waits for your decision." in shown
    assert 'href="/approvals?product=ledger"' in shown
    assert 'id="approvals-waiting">2<' in shown  # the navigation counts all


def test_the_numbers_of_the_board_are_of_the_product(kestrel: Kestrel) -> None:
    kestrel.reaches_staging()
    kestrel.deploys(kestrel.ask(kestrel.release(product="ledger"), kestrel.dev))
    [all_of_them], [ledger], nothing = (
        thirty_days(kestrel.tenant.pk, kestrel.clock.now(), product) for product in (None, "ledger", "nothing")
    )
    assert (all_of_them.deployed, ledger.deployed, nothing) == (3, 1, [])


def test_a_board_counts_the_open_promotions_of_its_product(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "OLDEST", 1)
    two_products(kestrel)
    third = kestrel.waits_for_production(product="ledger")
    client = client_of(kestrel, "approver")
    assert "The 1 oldest of 3 open promotions" in text(client, "/")
    shown = text(client, "/?product=ledger")
    assert "The 1 oldest of 2 open promotions" in shown
    [rest] = re.findall(r'<a href="([^"]+)">See all open ones', shown)
    assert third.number in numbers(text(client, unescape(rest)))
    assert "product=ledger" in rest


def test_the_inbox_counts_the_product_and_says_what_else_waits(kestrel: Kestrel) -> None:
    two_products(kestrel)
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="vault")
    client = client_of(kestrel, "approver")
    shown = text(client, "/approvals?product=ledger")
    assert re.findall(r'class="count[^"]*">(\d+)</span></a></li>', shown)[-3:] == ["1", "0", "1"]
    assert 'id="approvals-waiting">2<' in shown
    for tab in ("needs-me", "mine", "open"):
        assert f'href="?tab={tab}&amp;product=ledger"' in shown
    empty = text(client, "/approvals?product=vault")
    assert "Nothing of this product waits for you" in empty
    assert "2 promotions wait for you in all products." in empty


@pytest.mark.parametrize("path", ["/", "/approvals", "/approvals?tab=open"])
def test_what_is_polled_asks_for_the_product_again(kestrel: Kestrel, path: str) -> None:
    two_products(kestrel)
    client = client_of(kestrel, "approver")
    of_product = f"{path}{'&' if '?' in path else '?'}product=ledger"
    [polled] = re.findall(r'hx-get="([^"]+)"', text(client, of_product))
    assert "product=ledger" in polled
    part = client.get(unescape(polled), headers={"HX-Request": "true"}).content.decode()
    assert re.findall(r'hx-get="([^"]+)"', part) == [polled]
    assert CHOICE.search(part) is None  # it stays on the page: a poll asks for no products
    assert numbers(part) <= set(Promotion.objects.filter(product="ledger").values_list("number", flat=True))
    answer = client.get(unescape(polled), headers={"HX-Request": "true", "If-None-Match": tag_of(part)})
    assert answer.status_code == 304


@pytest.mark.parametrize("path", ["/", "/approvals"])
def test_the_tag_of_a_polled_part_differs_by_product(kestrel: Kestrel, path: str) -> None:
    client = client_of(kestrel, "viewer")
    tags = {tag_of(text(client, f"{path}{query}")) for query in ("", "?product=main", "?product=ledger")}
    assert len(tags) == 3


def test_the_tag_of_an_inbox_changes_with_what_waits_in_other_products(kestrel: Kestrel) -> None:
    """The empty part says how many."""
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="vault")
    client = client_of(kestrel, "approver")
    before = tag_of(text(client, "/approvals?product=vault"))
    kestrel.waits_for_production()
    assert tag_of(text(client, "/approvals?product=vault")) != before


def test_the_chosen_product_stays_from_page_to_page(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotions_page, "PAGE", 1)
    monkeypatch.setattr(releases_page, "PAGE", 1)
    for _ in range(2):
        kestrel.ask(kestrel.release(product="ledger"), kestrel.dev)
        kestrel.ask(kestrel.release(), kestrel.dev)
    client = client_of(kestrel, "viewer")
    [older] = re.findall(r'<a href="([^"]+)">Older', text(client, "/promotions?product=ledger"))
    shown = text(client, f"/promotions{unescape(older)}")
    assert (numbers(shown), offered(shown)["ledger"]) == ({1}, "ledger *")
    [older] = re.findall(r'rel="next" href="([^"]+)"', text(client, "/releases?product=ledger"))
    shown = text(client, f"/releases{unescape(older)}")
    assert (re.findall(r"<bdi>(2026\.\d)</bdi>", shown), offered(shown)["ledger"]) == (["2026.1"], "ledger *")
    of_another = unescape(older).replace("product=ledger", "product=main")
    assert client.get(f"/releases{of_another}").status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("path", [*PAGES, "/approvals?tab=open", "/approvals?tab=mine"])
def test_another_tenants_product_is_as_one_that_does_not_exist(kestrel: Kestrel, path: str) -> None:
    merlin = make_kestrel("merlin", prefix="merlin-")
    merlin.waits_for_production(product="vault")
    kestrel.waits_for_production()
    client = client_of(kestrel, "requester")

    def page(product: str) -> str:
        shown = text(client, f"{path}{'&' if '?' in path else '?'}product={product}")
        return re.sub(
            r'(csrf\w+"(: "| value=")|X-CSRFToken": ")[^"]+|data-poll="[^"]+"', "", shown.replace(product, "…")
        )

    assert page("vault") == page("quartz")
    assert numbers(page("vault")) == set()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("typed", "sentence"), [("x" * 64, "at most 63 characters"), ("a\u202eb", "U+202E")])
def test_what_can_be_no_product_is_refused(kestrel: Kestrel, path: str, typed: str, sentence: str) -> None:
    answer = client_of(kestrel, "requester").get(path, {"product": typed})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_a_product_is_typed_where_there_are_too_many_to_offer(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion_filters, "MOST_OFFERED", 1)
    _, ledger = two_products(kestrel)
    client = client_of(kestrel, "approver")
    shown = text(client, "/approvals?product=ledger")
    assert CHOICE.search(shown) is None
    assert re.search(r'<input type="text" name="product" value="ledger" maxlength="63"', shown)
    assert numbers(shown) == {ledger.number}


@pytest.mark.parametrize("path", ["/", "/approvals"])
def test_a_poll_asks_for_no_products_to_choose_from(kestrel: Kestrel, path: str) -> None:
    two_products(kestrel)
    client = client_of(kestrel, "approver")
    tag = tag_of(text(client, path))

    def asked(**headers: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            client.get(path, headers={"HX-Request": "true", **headers})
        return sum('"accounts_product"."display_name"' in each["sql"] for each in statements)

    assert (asked(), asked(**{"If-None-Match": tag})) == (0, 0)


@pytest.mark.parametrize("path", ["/promotions?", "/releases?"])
def test_the_page_of_a_product_leads_to_its_lists(kestrel: Kestrel, path: str) -> None:
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
    assert f'href="{path}product=ledger"' in text(client_of(kestrel, "viewer"), "/products/ledger")


def test_the_page_of_releases_has_no_id_twice(kestrel: Kestrel) -> None:
    two_products(kestrel)
    ids = re.findall(r' id="([^"]+)"', text(client_of(kestrel, "operator"), "/releases"))
    assert len(ids) == len(set(ids))


def test_a_name_of_two_products_stands_with_its_product_in_every_list(kestrel: Kestrel) -> None:
    kestrel.waits_for_production(name="1.0")
    kestrel.waits_for_production(name="1.0", product="ledger")
    client = client_of(kestrel, "third")
    beside = '1.0</bdi></a> <span class="muted fw-normal">ledger</span>'
    for path in ("/promotions", "/approvals", "/", "/products/ledger"):
        assert beside in text(client, path), path
    assert '1.0</bdi></a> <span class="muted fw-normal">main</span>' not in text(client, "/promotions")


def test_a_person_with_a_role_for_some_products_is_offered_what_they_may_do(kestrel: Kestrel) -> None:
    releases = {product: kestrel.release(product=product) for product in ("ledger", "main")}
    olga = make_person(kestrel.tenant, "olga", roles=["operator"], products=["ledger"], clock=kestrel.clock)
    client = signed_in(olga)
    offered = client.get("/promotions/new").text
    assert (releases["ledger"].name in offered, releases["main"].name in offered) == (True, False)
    for product, is_theirs in (("ledger", True), ("main", False)):
        page = client.get(f"/releases/{releases[product].pk}").text
        assert (">Promote<" in page, ">Deprecate" in page) == (is_theirs, is_theirs)
    refused = client.post(f"/promotions/new?release={releases['main'].pk}&target={kestrel.dev.pk}", {"reason": "x"})
    assert refused.status_code == 403
    assert "Your right promotion:request is limited to ledger" in refused.text
