"""dependency: other releases are deployed, other environments open or idle (domain.md §6).

Targets are observed when facts are gathered; a health answer over HTTP is not supported yet.
"""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import Dependency, GateInput
from policies.outcomes import Verdict
from policies.schema import SLUG
from policies.windows import in_words

KIND: Final = "dependency"
KIND_VERSION: Final = 1
RANK: Final = 60
SUMMARY: Final = "The named releases are deployed and the named environments are in the wanted state."

_RELEASE_NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200, "format": "line"}
_SLUG: dict[str, Any] = {
    "type": "string",
    "pattern": SLUG,
    "x-message": "Must be a name of lower-case letters, digits and hyphens.",
}

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["targets"],
    "properties": {
        "targets": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {
                "x-unsupported": ["http"],
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["type", "release", "environment"],
                        "properties": {
                            "type": {"type": "string", "const": "release"},
                            "product": _SLUG,
                            "release": _RELEASE_NAME,
                            "environment": _SLUG,
                            "state": {"type": "string", "enum": ["deployed"], "default": "deployed"},
                        },
                    },
                    {
                        "type": "object",
                        "required": ["type", "environment", "state"],
                        "properties": {
                            "type": {"type": "string", "const": "environment"},
                            "environment": _SLUG,
                            "state": {"type": "string", "enum": ["not-frozen", "idle"]},
                        },
                    },
                ],
            },
        }
    },
}


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """Passes when every target is in its wanted state. A target that does not exist, or was not observed, never is."""
    observed = facts["dependencies"].get(context.name)
    wanted = config["targets"]
    if observed is None or [_without_observation(each) for each in observed] != [dict(each) for each in wanted]:
        return Verdict(
            context.on_error,
            ("GATE_FACTS_MISSING",),
            {"missing": "dependencies"},
            "The state of this gate's targets was not gathered: evaluate again.",
        )
    unknown = [each for each in observed if each["observed"] is None]
    unmet = [each for each in observed if each["observed"] is not None and not _holds(each)]
    details = {
        "targets": [{**each, "met": each["observed"] is not None and _holds(each)} for each in observed],
    }
    codes = (("DEPENDENCY_UNKNOWN",) if unknown else ()) + (("DEPENDENCY_NOT_MET",) if unmet else ())
    if unknown:
        message = f"There is no {_in_words(unknown[0])}: a policy admin must correct the gate {context.name}."
        return Verdict(context.on_error, codes, details, message)
    if unmet:
        times = [_next_change(each, "nextOpen") for each in unmet]
        known = [at for at in times if at is not None]
        message = f"Waiting for {_waits_for(unmet[0])}{_and_others(len(unmet) - 1)}."
        return Verdict("pending", codes, details, message, min(known, default=None))
    closing = [at for at in (_next_change(each, "nextClose") for each in observed) if at is not None]
    return Verdict("pass", (), details, "Everything it depends on is as wanted.", min(closing, default=None))


def _without_observation(dependency: Dependency) -> dict[str, Any]:
    return {name: value for name, value in dependency.items() if name != "observed"}


def _holds(dependency: Dependency) -> bool:
    """Whether an observed target is in the wanted state; anything but a plain true is not."""
    if dependency["type"] == "release":
        return dependency["observed"] is not None and dependency["observed"]["deployed"] is True
    seen = dependency["observed"]
    if seen is None:
        return False
    return seen["idle"] is True if dependency["state"] == "idle" else seen["frozen"] is False


def _next_change(dependency: Dependency, which: str) -> str | None:
    """When time alone changes the target: only freezes begin and end by themselves."""
    if dependency["type"] == "release" or dependency["state"] != "not-frozen" or dependency["observed"] is None:
        return None
    return dependency["observed"]["nextOpen"] if which == "nextOpen" else dependency["observed"]["nextClose"]


def _in_words(dependency: Dependency) -> str:
    if dependency["type"] == "release":
        return f"release {dependency['release']} or environment {dependency['environment']}"
    return f"environment {dependency['environment']}"


def _waits_for(dependency: Dependency) -> str:
    if dependency["type"] == "release":
        return f"release {dependency['release']} to be deployed in {dependency['environment']}"
    if dependency["state"] == "idle":
        return f"the deployment in {dependency['environment']} to end"
    opens = _next_change(dependency, "nextOpen")
    return f"the freeze of {dependency['environment']} to end{f' {in_words(opens)}' if opens else ''}"


def _and_others(number: int) -> str:
    return f" and {number} more" if number else ""
