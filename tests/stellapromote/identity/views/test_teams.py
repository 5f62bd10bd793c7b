import pytest

from stellapromote.accounts.models import Team
from tests.stellapromote.identity.views.people import browser, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _people() -> None:
    make_people()


def test_a_team_is_made_and_listed_with_its_people() -> None:
    client = browser("greta")
    client.post("/settings/teams", {"slug": "security", "name": "Security"})
    assert Team.objects.get(slug="security").name == "Security"
    assert "Security" in client.get("/settings/teams").text


@pytest.mark.parametrize("slug", ["Not A Slug", "", "x" * 64, "a\0"])
def test_a_short_name_that_is_wrong_is_said(slug: str) -> None:
    response = browser("greta").post("/settings/teams", {"slug": slug})
    assert response.status_code == 400
    assert "error-summary" in response.text
    assert Team.objects.count() == 1


def test_a_short_name_that_is_taken_is_said_beside_it() -> None:
    response = browser("greta").post("/settings/teams", {"slug": "release", "name": "Another"})
    assert response.status_code == 409
    assert "There is a team release already." in response.text.partition('id="id_slug_error"')[2].partition("</div>")[0]
    assert 'value="Another"' in response.text
    assert Team.objects.count() == 1


def test_only_administrators_make_teams() -> None:
    assert browser("nia").post("/settings/teams", {"slug": "security"}).status_code == 403
    assert Team.objects.count() == 1
