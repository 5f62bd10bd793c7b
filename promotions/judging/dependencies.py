"""The present state of the targets of dependency gates: facts for the gate input (domain.md §6, dependency)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from environments.freezes import freeze_states
from environments.models import Environment
from promotions.models import Promotion, Release
from promotions.states import Status


def observe_dependencies(
    policy: dict[str, Any],
    *,
    tenant_id: UUID,
    product: str,
    at: datetime,
    health: Mapping[str, list[dict[str, Any] | None]],
) -> dict[str, list[dict[str, Any]]]:
    """The observed targets of each dependency gate; ``observed`` is None where a name is unknown.

    ``product``: that of the promotion which waits; a freeze of another product alone does not hold it.
    ``health``: a worker's latest answers of the addresses of each gate, in their order.
    """
    observed = {}
    for gate in policy["gates"]:
        if gate["kind"] == "dependency":
            answers = iter(health.get(gate["name"], ()))
            observed[gate["name"]] = [
                {
                    **target,
                    "observed": next(answers, None)
                    if target["type"] == "http"
                    else _observed(target, tenant_id, product, at),
                }
                for target in gate["config"]["targets"]
            ]
    return observed


def _observed(target: dict[str, Any], tenant_id: UUID, product: str, at: datetime) -> dict[str, Any] | None:
    environment = Environment.objects.of(tenant_id).live().filter(name=target["environment"]).first()
    if environment is None:
        return None
    return _release(target, environment) if target["type"] == "release" else _environment(environment, product, at)


def _release(target: dict[str, Any], environment: Environment) -> dict[str, Any] | None:
    """Without a product, the releases of this name of every product are to be deployed."""
    releases = Release.objects.filter(tenant_id=environment.tenant_id, name=target["release"])
    if "product" in target:
        releases = releases.filter(product=target["product"])
    wanted = set(releases.values_list("pk", flat=True))
    if not wanted:
        return None
    deployed = Promotion.objects.deployed_in(environment).filter(release__in=wanted)
    return {"deployed": wanted <= set(deployed.values_list("release_id", flat=True))}


def _environment(environment: Environment, product: str, at: datetime) -> dict[str, Any]:
    freeze = freeze_states(environment.tenant_id, [environment.pk], at, product=product)[environment.pk]
    deploying = Promotion.objects.filter(target_environment=environment, status=Status.DEPLOYING).exists()
    return {
        "frozen": freeze["frozen"],
        "nextOpen": freeze["nextOpen"],
        "nextClose": freeze["nextClose"],
        "idle": not deploying,
    }
