import pytest
from django.test import Client


@pytest.mark.django_db
def test_the_address_that_browsers_try_leads_to_our_icon(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert answer["Location"] == "/static/favicon.svg"
