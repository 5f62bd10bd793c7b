"""The open promotions that a deployment report concerns: those about which it changed a fact, and no others.

Each that is judged again gets a record of its own where its outcome differs, and where something else runs in its
target its votes end. So a report reads nothing that it did not change (docs/adr/0187).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from environments.models import Environment
from policies.stored_documents import documents
from promotions.fastpath.rows import Writes
from promotions.models import Promotion
from promotions.models.promotion_vocabulary import in_sql
from promotions.states import OPEN, Status

_JUDGE_AGAIN = f"""
UPDATE promotions_promotion SET next_change_at = %s, version = version + 1 WHERE id = ANY (ARRAY(
  SELECT id FROM promotions_promotion
  WHERE tenant_id = %s AND status IN ({in_sql(OPEN)})
    AND (target_environment_id = %s AND product = %s OR source_environment_id = %s AND release_id = %s OR id = ANY (%s))
  ORDER BY id FOR UPDATE))
"""  # noqa: S608 - the states are constants


@dataclass(frozen=True, slots=True)
class DeploymentSurroundings:
    """The facts beside a deployment when its end or rollback is reported: the newest release of the product that
    another promotion deployed there, whether another promotion deployed this release there, and the promotions that
    wait by dependency gates, with their requirements.
    """

    release_id: UUID | None
    also_by_another: bool
    waiting: Iterable[tuple[UUID, bytes]]


def read_other_deployments(promotion: Promotion) -> QuerySet[Environment, Any]:
    """One row: the first two fields of ``DeploymentSurroundings``. Read under the lock of the environment."""
    others = Promotion.objects.running_in(OuterRef("pk"), promotion.product).exclude(pk=promotion.pk)
    newest = others.values("release_id")[:1]
    here = Environment.objects.filter(pk=promotion.target_environment_id)
    return here.values_list(Subquery(newest), Exists(others.filter(release=promotion.release_id)))


def select_waiting_by_dependency(tenant_id: UUID) -> QuerySet[Promotion, Any]:
    """The third field of ``DeploymentSurroundings``: open promotions with a dependency gate, with requirements."""
    waiting = Promotion.objects.filter(tenant_id=tenant_id, status__in=OPEN, gates__contains=[{"type": "dependency"}])
    return waiting.values_list("pk", "requirements")


def schedule_concerned_promotions(
    ended: Promotion, before: Status, surroundings: DeploymentSurroundings, at: datetime, writes: Writes
) -> None:
    """Has the worker judge again the promotions about which the end, or the rollback, of a deployment changed a fact.

    - Where another release of the product runs there now: those that wait for the same target.
    - Where the release is deployed there for the first time, or no more: those that bring it on from there.
    - Those that wait by a dependency gate that names the environment, to be idle or to have a release. Two deployments
      that end at once would each see the other, so this does not depend on which others run there.

    A failed deployment ran nothing, so its rollback concerns no promotion. A request into or from there, which is not
    stored yet, waits for the environment, and then sees the report.
    """
    if before is Status.FAILED:
        return
    here = ended.target_environment_id
    target = source = None
    if Status.DEPLOYED in (ended.status, before):
        target = None if surroundings.release_id == ended.release_id else here
        source = None if surroundings.also_by_another else here
    named = _by_dependency(ended, surroundings.waiting)
    if target or source or named:
        values = [at, ended.tenant_id, target, ended.product, source, ended.release_id, named]
        writes.add(_JUDGE_AGAIN, values)


def _by_dependency(ended: Promotion, waiting: Iterable[tuple[UUID, bytes]]) -> list[UUID]:
    policies = {key: orjson.loads(bytes(each))["promotionPolicy"]["digest"] for key, each in waiting}
    texts = documents(ended.tenant_id, policies.values())
    name = ended.target_environment.name
    others = {digest for digest, policy in texts.items() if not _names(policy, name)}
    return [key for key, digest in policies.items() if digest not in others]


def _names(policy: Mapping[str, Any], environment: str) -> bool:
    """Whether what is deployed in the environment counts for one of the policy's gates; a freeze there is no report."""
    targets = [
        target for gate in policy["gates"] if gate["kind"] == "dependency" for target in gate["config"]["targets"]
    ]
    return any(each.get("environment") == environment and each.get("state") != "not-frozen" for each in targets)
