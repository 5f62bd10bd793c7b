"""Who may bring in documents, feeds and keys: the actions ask, whoever calls them."""

from collections.abc import Callable
from typing import Any

import pytest

from promotions.actions.take_bundle import take_bundle, take_newest_documents
from promotions.actions.trust_key import revoke_key, trust_key
from stellapromote.accounts.actor import Actor
from stellapromote.errors import Refused
from tests.promotions.formats.samples import ARTIFACT, KEV, cyclonedx
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer, feed, uploaded

SEPTEMBER = {**KEV, "dateReleased": "2026-09-01T00:00:00Z"}


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


ACTS: dict[str, tuple[Callable[[Kestrel, Actor], Any], set[str]]] = {
    "upload a document": (
        lambda house, by: uploaded(by, ARTIFACT, "sbom", cyclonedx(), clock=house.clock),
        {"operator", "requester", "builder"},
    ),
    "take a snapshot": (
        lambda house, by: take_bundle([ARTIFACT], by=by, clock=house.clock),
        {"operator", "requester", "builder"},
    ),
    "upload a feed": (lambda house, by: feed(by, "kev", SEPTEMBER, clock=house.clock), {"admin"}),
    "trust a key": (lambda house, by: trust_key("ci", Signer().pem, by=by, clock=house.clock), {"admin"}),
    "revoke a key": (
        lambda house, by: revoke_key(
            trust_key("old", Signer().pem, by=house["admin"], clock=house.clock).pk, by=by, clock=house.clock
        ),
        {"admin"},
    ),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("who", ["admin", "operator", "approver", "auditor", "viewer"])
def test_each_act_is_for_those_who_may(kestrel: Kestrel, act: str, who: str) -> None:
    perform, allowed = ACTS[act]
    uploaded(kestrel["requester"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)
    if who in allowed:
        perform(kestrel, kestrel[who])
    else:
        with pytest.raises(Refused):
            perform(kestrel, kestrel[who])


@pytest.mark.parametrize("who", ["auditor", "viewer"])
def test_who_neither_requests_nor_decides_takes_no_evidence(kestrel: Kestrel, who: str) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(Refused):
        take_newest_documents(promotion.pk, by=kestrel[who], clock=kestrel.clock)
