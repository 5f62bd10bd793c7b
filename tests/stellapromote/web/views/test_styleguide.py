import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from stellapromote.web.words import PROMOTION_STATES


@pytest.mark.django_db
@pytest.mark.urls("tests.stellapromote.web.urls")
def test_it_shows_every_state(client: Client) -> None:
    text = client.get("/styleguide").text
    assert [state for state in PROMOTION_STATES if f'data-state="{state}"' not in text] == []


def test_it_does_not_exist_outside_of_debug_mode() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("styleguide", urlconf="stellapromote.urls")
