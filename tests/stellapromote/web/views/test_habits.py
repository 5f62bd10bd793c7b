import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tried", "place"), [("/favicon.ico", "/static/favicon.svg"), ("/admin", "/admin/")], ids=["icon", "admin"]
)
def test_an_address_that_is_tried_by_habit_leads_to_the_place(client: Client, tried: str, place: str) -> None:
    answer = client.get(tried)
    assert answer.status_code == 302
    assert answer["Location"] == place
