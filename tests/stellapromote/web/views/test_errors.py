import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.stellapromote.web.urls")]


@pytest.mark.parametrize("kind", ["400", "403", "404", "500"])
def test_what_django_refuses_is_a_page_that_leads_on(as_nia: Client, kind: str) -> None:
    as_nia.raise_request_exception = False
    response = as_nia.get(f"/fail/{kind}")
    assert response.status_code == int(kind)
    assert 'href="/"' in response.text


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/fail/400", 400, "The request cannot be read."),
        ("/fail/403", 403, "You may not do this"),
        ("/fail/404", 404, "There is nothing here"),
        ("/promotions?" + "a=1&" * 1500, 413, "send fewer"),
    ],
    ids=["400", "403", "404", "413"],
)
def test_what_django_refuses_is_one_line_in_the_log(
    as_nia: Client, caplog: pytest.LogCaptureFixture, path: str, status: int, told: str
) -> None:
    """Any stranger can bring it about."""
    caplog.set_level("INFO")
    response = as_nia.get(path)
    assert (response.status_code, told in response.text) == (status, True)
    [line] = caplog.records
    assert (line.levelname, line.exc_info) == ("INFO", None)


def test_an_unknown_path_keeps_the_frame_of_the_signed_in_person(as_nia: Client) -> None:
    assert "Sign out" in as_nia.get("/nothing/here").text


def test_an_unknown_path_is_not_found_for_strangers_too(client: Client) -> None:
    assert client.get("/nothing/here").status_code == 404


def test_a_failure_shows_the_request_and_nothing_of_its_inside(as_nia: Client) -> None:
    as_nia.raise_request_exception = False
    response = as_nia.get("/fail/500", headers={"X-Request-Id": "deploy-4711"})
    assert "deploy-4711" in response.text
    assert "RuntimeError" not in response.text


def test_a_failure_page_needs_no_database(as_nia: Client, django_assert_num_queries: object) -> None:
    from django.test import RequestFactory

    from stellapromote.web.views.errors import server_error

    with django_assert_num_queries(0):  # type: ignore[operator]
        assert server_error(RequestFactory().get("/")).status_code == 500


def test_a_post_without_the_token_is_refused_in_words(nia: object) -> None:
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/theme", {"theme": "dark"})
    assert response.status_code == 403
    assert "load the page again" in response.text


def test_the_way_back_is_the_page_one_came_from(as_nia: Client) -> None:
    response = as_nia.get("/refuse/rule", headers={"Referer": "http://testserver/promotions?page=2"})
    assert 'href="/promotions?page=2"' in response.text


@pytest.mark.parametrize(
    "referrer",
    ["https://evil.example/promotions", "http://testserver//evil.example/", "javascript:alert(1)", "http://testserver"],
)
def test_the_way_back_never_leaves_the_site(as_nia: Client, referrer: str) -> None:
    text = as_nia.get("/refuse/rule", headers={"Referer": referrer}).text
    assert "Back to where you were" not in text


def test_the_way_back_is_not_the_refused_page_itself(as_nia: Client) -> None:
    text = as_nia.get("/refuse/rule", headers={"Referer": "http://testserver/refuse/rule"}).text
    assert "Back to where you were" not in text


def test_a_made_up_host_is_a_bad_request(client: Client) -> None:
    assert client.get("/whoami", headers={"Host": "evil.example"}).status_code == 400
