"""What blindness costs in statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.models import Promotion
from tests.promotions.kestrel import client_of
from tests.promotions.voting.blindness.blinded import blinded, half_way, hide, post

pytestmark = pytest.mark.django_db


def test_it_costs_a_statement_at_most_where_a_promotion_is_blind() -> None:
    """On the page nothing, by API one, in place of one for names."""
    kestrel = blinded(blind=False)
    client, paths = (
        client_of(kestrel, "viewer"),
        ("/promotions/{}", "/api/v1/promotions/{}", "/api/v1/promotions/{}/gates"),
    )

    def cost(promotion: Promotion) -> list[int]:
        found = []
        for path in paths:
            client.get(path.format(promotion.pk))
            with CaptureQueriesContext(connection) as statements:
                assert client.get(path.format(promotion.pk)).status_code == 200
            found.append(len(statements))
        return found

    before = cost(half_way(kestrel))
    hide(kestrel, blind=True)
    assert all(now <= then + 1 for now, then in zip(cost(half_way(kestrel)), before, strict=True))


def test_a_vote_asks_nothing_more_where_no_policy_is_blind() -> None:
    kestrel = blinded(blind=False)
    promotion = half_way(kestrel)
    with CaptureQueriesContext(connection) as statements:
        post(kestrel, "second", f"{promotion.pk}/approve")
    assert [each["sql"] for each in statements if 'FROM "promotions_vote"' in each["sql"]] == []
