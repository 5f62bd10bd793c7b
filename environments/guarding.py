"""Which protected environments a freeze holds shut (domain.md §5)."""

from uuid import UUID

import orjson

from environments.models import Environment


def frozen_by(tenant_id: UUID, environment: Environment | None) -> list[str]:
    """Names of the protected environments that a freeze of ``environment``, or with None of the whole tenant, concerns.

    Itself, and those of whose policy a gate waits until it is not frozen; archived ones too, for they may return. Read
    under the lock of the calendar. One statement.
    """
    protected = Environment.objects.of(tenant_id).filter(protected=True).order_by("name")
    rows = protected.values_list("name", "promotion_policy__current__canonical")
    return [
        name
        for name, canonical in rows
        if environment is None or name == environment.name or _waits_for_thaw(canonical, environment.name)
    ]


def _waits_for_thaw(canonical: bytes | memoryview | None, name: str) -> bool:
    gates = [] if canonical is None else orjson.loads(canonical)["gates"]
    return any(
        target["type"] == "environment" and (target["environment"], target["state"]) == (name, "not-frozen")
        for gate in gates
        if gate["kind"] == "dependency"
        for target in gate["config"]["targets"]
    )
