"""Who is excepted from a freeze overrides it for one promotion (domain.md §6), and by whose word."""

import pytest

from environments.actions.update_freeze_window import update_freeze_window
from environments.models import FreezeWindow
from promotions.actions.evaluate import evaluate
from promotions.models import Promotion
from promotions.voting.rules import NotEligible
from stellapromote.accounts.models import User
from tests.factories import actor_of, actor_of_token, make_person, make_service, make_token
from tests.promotions.actions.overriding import as_administrator, freeze, gate_of, overrides, why_not
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db


@pytest.fixture
def frozen() -> tuple[Kestrel, Promotion]:
    """Production under the default policy, frozen, with a promotion waiting; second is excepted."""
    kestrel = make_kestrel()
    promotion = kestrel.waits_for_production()
    freeze(kestrel, kestrel.clock.now(), exceptions=["second"])
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    return kestrel, promotion


def test_who_is_excepted_overrides_the_freeze(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    given = overrides(kestrel, "second", promotion, "freeze-window", hours=20)
    assert given.authority == "exception"
    assert gate_of(promotion, "freeze-window")["status"] == "warn"


def test_an_exception_alone_lets_nobody_through(frozen: tuple[Kestrel, Promotion]) -> None:
    _, promotion = frozen
    assert gate_of(promotion, "freeze-window")["status"] == "pending"


def test_who_is_not_excepted_does_not(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    with pytest.raises(NotEligible):
        overrides(kestrel, "third", promotion, "freeze-window")


def test_an_exception_that_somebody_excluded_added_does_not_count(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    as_administrator(kestrel, "requester")
    excepts(kestrel, ["second", "third"], by="requester")
    with pytest.raises(NotEligible, match="excepted you from the freeze"):
        overrides(kestrel, "third", promotion, "freeze-window")
    assert overrides(kestrel, "second", promotion, "freeze-window").authority == "exception"


def test_nor_does_one_that_a_machine_of_theirs_added(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    service = make_service(kestrel.tenant, User.objects.get(username="requester"), scopes=["environment:write"])
    kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user))
    excepts(kestrel, ["second", "third"], by="machine")
    with pytest.raises(NotEligible, match="excepted you from the freeze"):
        overrides(kestrel, "third", promotion, "freeze-window")


def test_an_exception_that_was_taken_back_and_given_again_is_the_last_givers(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    as_administrator(kestrel, "requester")
    excepts(kestrel, [], by="admin")
    excepts(kestrel, ["second"], by="requester")
    with pytest.raises(NotEligible, match="excepted you from the freeze"):
        overrides(kestrel, "second", promotion, "freeze-window")


def excepts(kestrel: Kestrel, usernames: list[str], *, by: str) -> None:
    """Says anew who may override the freeze of production."""
    kestrel.wait()
    confirmed(
        update_freeze_window(
            by=kestrel[by],
            clock=kestrel.clock,
            window_id=FreezeWindow.objects.get().pk,
            environment_id=kestrel.production.pk,
            changes={"exceptions": usernames},
        ),
        kestrel.clock,
    )


def test_an_exception_in_one_of_two_freezes_is_not_enough(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    freeze(kestrel, kestrel.clock.now())
    with pytest.raises(NotEligible):
        overrides(kestrel, "second", promotion, "freeze-window")


def test_a_freeze_that_begins_later_is_not_lifted(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    overrides(kestrel, "second", promotion, "freeze-window")
    freeze(kestrel, kestrel.clock.now(), exceptions=["second"])
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    assert gate_of(promotion, "freeze-window")["status"] == "pending"


def test_a_token_does_not_use_an_exception(frozen: tuple[Kestrel, Promotion]) -> None:
    kestrel, promotion = frozen
    kestrel.actors["second"] = actor_of_token(make_token(kestrel.tenant, User.objects.get(username="second")))
    said = "You are excepted from this freeze, but no token carries an exception"
    assert why_not(kestrel, "second", promotion, said, gate="freeze-window") == ["TOKEN_TOO_NARROW"]


def test_whoever_wrote_a_freeze_is_not_excepted_from_it() -> None:
    kestrel = make_kestrel()
    promotion = kestrel.waits_for_production()
    other = actor_of(make_person(kestrel.tenant, "other-admin", roles=["admin"], clock=kestrel.clock), kestrel.tenant)
    window = freeze(kestrel, kestrel.clock.now())
    update_freeze_window(
        by=other,
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.production.pk,
        changes={"exceptions": [kestrel["admin"].username]},
    )
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    with pytest.raises(NotEligible):
        overrides(kestrel, "admin", promotion, "freeze-window")
