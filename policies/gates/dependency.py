"""dependency: other releases are deployed, other environments open or idle, addresses healthy (domain.md §6).

Releases and environments are observed when facts are gathered; addresses are asked by the worker before.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from policies import phrases
from policies.context import Context
from policies.facts import Dependency, GateInput, HttpDependency
from policies.gates.sources import NOTHING
from policies.gates.wording import Config, Fact, Stored, Wording, fact, policy_shown
from policies.outbound import LONGEST_URL, url_problem
from policies.outcomes import Verdict
from policies.windows import in_words
from stellapromote.clock import parse_rfc3339
from stellapromote.errors import FieldError
from stellapromote.json_schema import below
from stellapromote.patterns import SLUG
from stellapromote.signing.canonical_json import canonical_bytes

KIND: Final = "dependency"
KIND_VERSION: Final = 1
RANK: Final = 60
SUMMARY: Final = "The named releases are deployed, environments in the wanted state, and health answers as expected."

_SECRET: Final = re.compile(r"passw|secret|token|credential|api_?key|private_?key|signature", re.IGNORECASE)
_FOR_EVER: Final = float("inf")

_RELEASE_NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200, "format": "line"}
_SLUG: dict[str, Any] = {"type": "string", "pattern": SLUG}

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["targets"],
    "properties": {
        "targets": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {
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
                    {
                        "type": "object",
                        "required": ["type", "url"],
                        "properties": {
                            "type": {"type": "string", "const": "http"},
                            "url": {"type": "string", "minLength": 1, "maxLength": LONGEST_URL, "format": "line"},
                            "expect": {
                                "type": "object",
                                "default": {"status": 200},
                                "properties": {
                                    "status": {"type": "integer", "minimum": 100, "maximum": 599, "default": 200},
                                    "maxDurationMs": {"type": "integer", "minimum": 1, "maximum": 10_000},
                                    "bodyContains": {"type": "string", "minLength": 1, "maxLength": 500},
                                },
                            },
                            "timeout": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5},
                            "maxAge": {"type": "integer", "minimum": 30, "maximum": 86_400, "default": 300},
                        },
                    },
                ],
            },
        }
    },
}


GUARDS: Final = frozenset(
    {
        "targets",
        "targets.product",
        "targets.release",
        "targets.environment",
        "targets.state",
        "targets.url",
        "targets.expect.status",
        "targets.expect.maxDurationMs",
        "targets.expect.bodyContains",
        "targets.timeout",
        "targets.maxAge",
    }
)
NO_GUARDS: Final[dict[str, str]] = {"targets.type": "another type is another target"}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """The checks beyond the schema: addresses can be called, and hold no secret."""
    errors = []
    for index, target in enumerate(config["targets"]):
        if target["type"] == "http":
            problem = url_problem(target["url"]) or _secret_in(target["url"])
            if problem is not None:
                errors.append(FieldError(below(field, f"targets[{index}].url"), problem, "invalid"))
    return errors


def _secret_in(url: str) -> str | None:
    names = (name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))
    found = next((name for name in names if _SECRET.search(name)), None)
    return None if found is None else f"{found[:50]} is the name of a secret, which no policy may hold."


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
    unseen = [each for each in observed if _not_seen(each, facts["instant"])]
    unknown = [each for each in observed if each["observed"] is None and each not in unseen]
    unmet = [each for each in observed if each not in unseen and each not in unknown and not _holds(each)]
    details = {
        "targets": [
            {**each, "met": each not in unseen and each["observed"] is not None and _holds(each)} for each in observed
        ],
    }
    codes = (
        *(("DEPENDENCY_UNKNOWN",) if unknown else ()),
        *(_why_not_seen(each) for each in unseen),
        *(("DEPENDENCY_NOT_MET",) if unmet else ()),
    )
    if unknown:
        message = f"There is no {_in_words(unknown[0])}: a policy admin must correct the gate {context.name}."
        return Verdict(context.on_error, codes, details, message)
    if unseen:
        return Verdict(context.on_error, codes, details, _not_seen_in_words(unseen[0]))
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
    if dependency["type"] == "http":
        return _is_healthy(dependency)
    seen = dependency["observed"]
    if seen is None:
        return False
    return seen["idle"] is True if dependency["state"] == "idle" else seen["frozen"] is False


def _not_seen(dependency: Dependency, instant: str) -> bool:
    """Whether an address gave no answer lately: a fact that is missing, never a pass."""
    if dependency["type"] != "http":
        return False
    seen = dependency["observed"]
    if seen is None or seen["problem"] is not None:
        return True
    age = parse_rfc3339(instant) - parse_rfc3339(seen["collectedAt"])
    return age.total_seconds() > dependency["maxAge"]


def _why_not_seen(dependency: Dependency) -> str:
    seen = dependency["observed"] if dependency["type"] == "http" else None
    if seen is None or seen["problem"] is None:
        return "GATE_FACTS_MISSING"
    return "GATE_TIMEOUT" if seen["problem"] == "TIMEOUT" else "GATE_ERROR"


def _not_seen_in_words(dependency: Dependency) -> str:
    """One sentence about an address that gave no answer; only ever called for one."""
    if dependency["type"] != "http" or dependency["observed"] is None or dependency["observed"]["problem"] is None:
        return "The health of an address is not known yet: it is asked for, and this goes on with the answer."
    if dependency["observed"]["problem"] == "ADDRESS_REFUSED":
        return f"The platform does not let anything call {dependency['url']}: an operator may allow it."
    return f"There is no answer from {dependency['url']} ({dependency['observed']['problem']}): it is asked again."


def _is_healthy(dependency: HttpDependency) -> bool:
    seen, expected = dependency["observed"], dependency["expect"]
    return (
        seen is not None
        and seen["status"] == expected["status"]
        and ("maxDurationMs" not in expected or _within(seen["durationMs"], expected["maxDurationMs"]))
        and ("bodyContains" not in expected or seen["matched"] is True)
    )


def _within(duration: int | None, most: int) -> bool:
    return type(duration) is int and duration <= most


def _next_change(dependency: Dependency, which: str) -> str | None:
    """When time alone changes the target: only freezes begin and end by themselves."""
    if dependency["type"] != "environment" or dependency["state"] != "not-frozen" or dependency["observed"] is None:
        return None
    return dependency["observed"]["nextOpen"] if which == "nextOpen" else dependency["observed"]["nextClose"]


def _in_words(dependency: Dependency) -> str:
    if dependency["type"] == "release":
        return f"release {dependency['release']} or environment {dependency['environment']}"
    if dependency["type"] == "http":
        return dependency["url"]
    return f"environment {dependency['environment']}"


def _waits_for(dependency: Dependency) -> str:
    if dependency["type"] == "release":
        return f"release {dependency['release']} to be deployed in {dependency['environment']}"
    if dependency["type"] == "http":
        return f"{dependency['url']} to be healthy{_unhealthy(dependency)}"
    if dependency["state"] == "idle":
        return f"the deployment in {dependency['environment']} to end"
    opens = _next_change(dependency, "nextOpen")
    return f"the freeze of {dependency['environment']} to end{f' {in_words(opens)}' if opens else ''}"


def _unhealthy(dependency: HttpDependency) -> str:
    seen, expected = dependency["observed"], dependency["expect"]
    if seen is None:
        return ""
    if seen["status"] != expected["status"]:
        return f", which answers {seen['status']} instead of {expected['status']}"
    if "bodyContains" in expected and seen["matched"] is not True:
        return ", whose answer does not hold what is expected"
    return f", which takes more than {expected['maxDurationMs']} ms" if "maxDurationMs" in expected else ""


def _and_others(number: int) -> str:
    return f" and {number} more" if number else ""


def _sentence(config: Config) -> str:
    return f"Holds: {phrases.listed([_wanted(each) for each in config['targets']])}."


def _wanted(target: Config) -> str:
    if target["type"] == "release":
        return f"release {target['release']} is deployed in {target['environment']}"
    if target["type"] == "http":
        return f"{target['url']} is healthy"
    if target["state"] == "idle":
        return f"nothing is being deployed in {target['environment']}"
    return f"{target['environment']} is not frozen"


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    if gone := sum(not any(_waits_as_long(each, new) for new in after["targets"]) for each in before["targets"]):
        return [f"Gate {name} waits for {gone} of its {len(before['targets'])} conditions no more."]
    return []


def _waits_as_long(before: Config, after: Config) -> bool:
    """Whether a target holds only where the one before did."""
    if before["type"] != "http" or after["type"] != "http":
        return canonical_bytes(before) == canonical_bytes(after)
    expected, expects = before["expect"], after["expect"]
    return (
        (before["url"], expected["status"]) == (after["url"], expects["status"])
        and expected.get("bodyContains") in (None, expects.get("bodyContains"))
        and expects.get("maxDurationMs", _FOR_EVER) <= expected.get("maxDurationMs", _FOR_EVER)
        and all(after[setting] <= before[setting] for setting in ("timeout", "maxAge"))
    )


def _facts(gate: Stored, gate_input: Stored, bundle: Stored | None) -> Iterator[Fact]:
    yield from policy_shown(gate, gate_input, bundle)
    for target in gate["details"].get("targets", ()):
        named = target.get("environment") or target.get("path") or target["type"]
        yield fact("dependency", " ".join(each for each in (target.get("release"), named) if each))


SOURCES: Final = NOTHING

WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=_facts,
    event="The environments and releases it waits for.",
    tells_votes=False,
)
