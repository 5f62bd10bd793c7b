"""What a simulation tells who is blind to votes."""

import pytest

from policies.actions.save_draft import save_draft
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.voting.blindness.blinded import code, half_way

pytestmark = pytest.mark.django_db


def test_a_simulation_is_refused_on_hidden_votes_and_leaves_them_out_of_many(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    save_draft(by=kestrel["admin"], clock=kestrel.clock, name="watched", changes={"gates": []})
    path, client = "/api/v1/promotion-policies/watched/simulate", client_of(kestrel, "admin")
    one = client.post(path, {"promotionId": str(promotion.pk)}, content_type="application/json")
    assert code(one) == (403, "PERM_BLIND")
    last = client.post(path, {"last": 10}, content_type="application/json").json()
    assert (last["results"], last["complete"], last["hidden"]) == ([], False, 1)
    page = client.get("/policies/promotion/watched/simulate", {"on": "last", "last": 10, "version": ""})
    assert "1 of the last promotions is left out" in page.content.decode()
    assert "Time ran out" not in page.content.decode()
    page = client.get("/policies/promotion/watched/simulate", {"on": "one", "number": promotion.number, "version": ""})
    assert "is blind: who voted" in page.content.decode()
    kestrel.rejects("second", promotion)
    last = client.post(path, {"last": 10}, content_type="application/json").json()
    assert [each["number"] for each in last["results"]] == [promotion.number]
    assert (last["complete"], last["hidden"]) == (True, 0)
