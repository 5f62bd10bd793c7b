"""The story with everything that the audit log alone tells of: acts that ended, attempts, a review."""

from typing import Any

from environments.actions.update_environment import update_environment
from promotions.actions.confirm import confirm, unconfirm
from promotions.actions.evaluate import evaluate
from promotions.actions.review_override import review_override
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Override, Promotion
from tests.factories import make_promotion_policy
from tests.kept import kept
from tests.promotions.kestrel import Kestrel
from tests.promotions.verification.story import make_story, numbered

BACKUP = {"name": "backup", "kind": "manual", "config": {"confirmers": {"users": ["second"]}, "text": "Backup"}}


@kept
def make_recorded_story() -> Kestrel:
    """As `make_story`; the override of 6 is reviewed. 7 in staging: approved, withdrawn, approved, rejected by the same
    person. 9 in staging: its approval became void, because 11 ran there then. 11 failed once, was deployed and rolled
    back. 12 waits in dev: its confirmation was given and taken back."""
    kestrel = make_story()
    _judge_dev_by(kestrel, "plain", [])
    _reviewed(kestrel)
    _withdrawn_and_replaced(kestrel, kestrel.ask(numbered(5).release, kestrel.staging))
    first = kestrel.approves("approver", _after_dev(kestrel))
    last = _at_last(kestrel, kestrel.approves("approver", _after_dev(kestrel)))
    kestrel.wait()
    evaluate(first.pk, by=kestrel["operator"], clock=kestrel.clock)
    kestrel.reports(last, "rolled_back", message="It was slow")
    _unconfirmed(kestrel)
    return kestrel


def _judge_dev_by(kestrel: Kestrel, policy: str, gates: list[dict[str, Any]]) -> None:
    make_promotion_policy(kestrel["admin"], policy, clock=kestrel.clock, gates=gates)
    changes = {"promotion_policy": policy}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)


def _reviewed(kestrel: Kestrel) -> None:
    override = Override.objects.get()
    kestrel.wait()
    by = kestrel["admin"]
    review_override(
        override.promotion_id, override.pk, by=by, verdict="objected", comment="It was", clock=kestrel.clock
    )


def _withdrawn_and_replaced(kestrel: Kestrel, promotion: Promotion) -> None:
    kestrel.approves("approver", promotion)
    kestrel.wait()
    withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("approver", promotion)
    kestrel.rejects("approver", promotion)


def _after_dev(kestrel: Kestrel) -> Promotion:
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging)


def _at_last(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    kestrel.reports(promotion, "started", url="https://ci.example/7", message="Canary first", run_id="ci-7")
    kestrel.reports(promotion, "failed", message="No space")
    return kestrel.deploys(promotion)


def _unconfirmed(kestrel: Kestrel) -> None:
    _judge_dev_by(kestrel, "backed-up", [BACKUP])
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    for act in (confirm, unconfirm):
        kestrel.wait()
        act(promotion.pk, "backup", by=kestrel["second"], clock=kestrel.clock)
