"""For each setting that is marked as a guard: a strict document and what loosens that setting alone.

`LOOSENINGS[document][path]` is (strict, loose). Of a gate's kind both are its config.
"""

from typing import Any

Edits = dict[str, tuple[Any, Any]]

RULE: dict[str, Any] = {"name": "release", "teams": ["release"], "minApprovals": 2}
POLICY: dict[str, Any] = {"name": "strict", "rules": [RULE, {"name": "security", "teams": ["security"]}]}


def _approval(strict: dict[str, Any], loose: dict[str, Any]) -> tuple[Any, Any]:
    return {**POLICY, **strict}, {**POLICY, **loose}


def _duty(name: str) -> tuple[Any, Any]:
    return _approval({"separationOfDuties": {name: True}}, {"separationOfDuties": {name: False}})


APPROVAL_POLICY: Edits = {
    "rules": _approval({}, {"rules": POLICY["rules"][:1]}),
    "rules.teams": _approval({"rules": [RULE]}, {"rules": [{**RULE, "teams": ["release", "security"]}]}),
    "rules.users": _approval({"rules": [RULE]}, {"rules": [{**RULE, "users": ["second"]}]}),
    "rules.minApprovals": _approval({"rules": [RULE]}, {"rules": [{**RULE, "minApprovals": 1}]}),
    "commentRequired": _approval({"commentRequired": True}, {"commentRequired": False}),
    "requireSubjectDigest": _approval({"requireSubjectDigest": True}, {"requireSubjectDigest": False}),
    "blind": _approval({"blind": True}, {"blind": False}),
    "separationOfDuties.excludeReleaseCreator": _duty("excludeReleaseCreator"),
    "separationOfDuties.excludeCommitAuthors": _duty("excludeCommitAuthors"),
    "separationOfDuties.excludePolicyEditor": _duty("excludePolicyEditor"),
    "separationOfDuties.excludeDeployer": _duty("excludeDeployer"),
}

CHECK: dict[str, Any] = {
    "name": "check",
    "kind": "manual",
    "config": {"confirmers": {"users": ["second"]}, "text": "Checked?"},
}
OVERRIDE: dict[str, Any] = {"by": ["second"], "maxHours": 4, "reviewHours": 4}
OPEN: dict[str, Any] = {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}]}


def _gate(strict: dict[str, Any], loose: dict[str, Any]) -> tuple[Any, Any]:
    return {"gates": [{**CHECK, **strict}]}, {"gates": [{**CHECK, **loose}]}


PROMOTION_POLICY: Edits = {
    "gates": ({"gates": [CHECK]}, {"gates": []}),
    "gates.kind": _gate({}, {"kind": "schedule", "config": OPEN}),
    "gates.onError": _gate({"onError": "fail"}, {"onError": "pending"}),
    "gates.appliesTo": _gate({}, {"appliesTo": ["forward"]}),
    "gates.effectiveOn": _gate({}, {"effectiveOn": "2099-01-01"}),
    "gates.override": _gate({}, {"override": OVERRIDE}),
    "gates.override.by": _gate({"override": OVERRIDE}, {"override": {**OVERRIDE, "by": ["second", "team:release"]}}),
    "gates.override.maxHours": _gate({"override": OVERRIDE}, {"override": {**OVERRIDE, "maxHours": 5}}),
    "gates.override.reviewHours": _gate({"override": OVERRIDE}, {"override": {**OVERRIDE, "reviewHours": 5}}),
    "pendingTtl": ({"pendingTtl": 60}, {"pendingTtl": 61}),
    "approvalTtl": ({"approvalTtl": 60}, {"approvalTtl": 61}),
    "overrideTtl": ({"overrideTtl": 60}, {"overrideTtl": 61}),
    "supersedeOlder": ({"supersedeOlder": True}, {"supersedeOlder": False}),
}

WINDOW = {"start": "2026-11-02T08:00:00", "end": "2026-11-02T10:00:00"}
HOURS: dict[str, Any] = {"windows": [WINDOW], "timezone": "UTC"}


def _hours(**loose: Any) -> tuple[Any, Any]:
    return HOURS, {**HOURS, **loose}


def _window(**loose: Any) -> tuple[Any, Any]:
    return _hours(windows=[{**WINDOW, **loose}])


SBOM: dict[str, Any] = {"requireSbom": True, "requiredPredicateTypes": ["https://slsa.dev/provenance/v1"]}


def _evidence(strict: dict[str, Any], loose: dict[str, Any]) -> tuple[Any, Any]:
    return {**SBOM, **strict}, {**SBOM, **loose}


RULES: dict[str, Any] = {
    "kev-blocker": {"graceDays": 3},
    "epss-threshold": {"threshold": 0.1, "mode": "all", "requireReachable": False},
    "reachable-cve": {"severityThreshold": "medium"},
    "cve-delta": {"newCveSeverityThreshold": "medium", "allowFirstRelease": False},
    "release-aggregate-cve": {"maxCritical": 0, "maxHigh": 3, "maxMedium": 20, "maxLow": 30, "maxTotal": 40},
}
LOOSER: dict[str, dict[str, Any]] = {
    "kev-blocker": {"graceDays": 4},
    "epss-threshold": {"threshold": 0.2, "mode": "any", "requireReachable": True},
    "reachable-cve": {"severityThreshold": "high"},
    "cve-delta": {"newCveSeverityThreshold": "high", "allowFirstRelease": True},
    "release-aggregate-cve": {"maxCritical": 1, "maxHigh": 4, "maxMedium": 21, "maxLow": None, "maxTotal": 41},
}
SCANS: dict[str, Any] = {"rules": RULES, "trustedUploaders": ["operator"]}


def _scans(strict: dict[str, Any], loose: dict[str, Any]) -> tuple[Any, Any]:
    return {**SCANS, **strict}, {**SCANS, **loose}


def _rules() -> Edits:
    found: Edits = {}
    for rule, settings in LOOSER.items():
        without = {name: each for name, each in RULES.items() if name != rule}
        found[f"rules.{rule}"] = _scans({}, {"rules": without})
        for setting, value in settings.items():
            looser = {**RULES, rule: {**RULES[rule], setting: value}}
            found[f"rules.{rule}.{setting}"] = _scans({}, {"rules": looser})
    return found


ADDRESS: dict[str, Any] = {
    "type": "http",
    "url": "https://health.example/ready",
    "expect": {"status": 200, "maxDurationMs": 500, "bodyContains": "ready"},
    "timeout": 3,
    "maxAge": 60,
}
RELEASE: dict[str, Any] = {"type": "release", "product": "main", "release": "db 4", "environment": "staging"}
IDLE: dict[str, Any] = {"type": "environment", "environment": "staging", "state": "idle"}


def _target(target: dict[str, Any], **loose: Any) -> tuple[Any, Any]:
    return {"targets": [target]}, {"targets": [{**target, **loose}]}


def _expect(**loose: Any) -> tuple[Any, Any]:
    return _target(ADDRESS, expect={**ADDRESS["expect"], **loose})


def _without(target: dict[str, Any], name: str) -> tuple[Any, Any]:
    expect = {each: value for each, value in target["expect"].items() if each != name}
    return _target(target, expect=expect)


CONFIRMED: dict[str, Any] = {**CHECK["config"], "minConfirmations": 1}
CEL: dict[str, Any] = {"engine": "cel", "text": "false", "data": {"most": 1}, "timeoutMs": 50}
OPA: dict[str, Any] = {"engine": "opa", "connection": "main", "query": "release/allow", "maxAge": 60}

KINDS: dict[str, Edits] = {
    "preconditions": {"requireChangeRef": ({"requireChangeRef": True}, {"requireChangeRef": False})},
    "freeze-window": {"onFreeze": ({"onFreeze": "fail"}, {"onFreeze": "pending"})},
    "schedule": {
        "windows": _hours(windows=[WINDOW, {"start": "2026-11-03T08:00:00", "end": "2026-11-03T10:00:00"}]),
        "windows.start": _window(start="2026-11-02T07:00:00"),
        "windows.end": _window(end="2026-11-02T11:00:00"),
        "windows.timezone": _window(timezone="Europe/Berlin"),
        "timezone": _hours(timezone="Europe/Berlin"),
        "outside": ({**HOURS, "outside": "fail"}, {**HOURS, "outside": "pending"}),
    },
    "evidence": {
        "requireSbom": _evidence({}, {"requireSbom": False}),
        "formats": _evidence({"formats": ["spdx"]}, {"formats": ["cyclonedx", "spdx"]}),
        "requireValidSchema": _evidence({"requireValidSchema": True}, {"requireValidSchema": False}),
        "requiredPredicateTypes": _evidence({}, {"requiredPredicateTypes": []}),
        "trustedKeys": _evidence({"trustedKeys": ["ci"]}, {"trustedKeys": []}),
        "maxAge": _evidence({"maxAge": 60}, {"maxAge": None}),
    },
    "security": {
        **_rules(),
        "environments": _scans({}, {"environments": {"production": {"kev-blocker": None}}}),
        "trustedKeys": _scans({}, {"trustedKeys": ["ci"]}),
        "trustedUploaders": _scans({}, {"trustedUploaders": ["builder", "operator"]}),
        "maxReportAge": _scans({"maxReportAge": 60}, {"maxReportAge": None}),
        "maxFeedAge": _scans({"maxFeedAge": 60}, {"maxFeedAge": 61}),
        "unknownSeverityAs": _scans({}, {"unknownSeverityAs": "low"}),
        "severityFrom": _scans({}, {"severityFrom": "scanner"}),
        "acceptSuppressed": _scans({}, {"acceptSuppressed": True}),
    },
    "policy": {
        "engine": (CEL, OPA),
        "text": (CEL, {**CEL, "text": "true"}),
        "query": (OPA, {**OPA, "query": "release/always"}),
        "data": (CEL, {**CEL, "data": {"most": 2}}),
        "connection": (OPA, {**OPA, "connection": "other"}),
        "timeoutMs": (CEL, {**CEL, "timeoutMs": 1000}),
        "maxAge": (OPA, {**OPA, "maxAge": 86_400}),
    },
    "dependency": {
        "targets": ({"targets": [IDLE, RELEASE]}, {"targets": [IDLE]}),
        "targets.product": _target(RELEASE, product="other"),
        "targets.release": _target(RELEASE, release="db 3"),
        "targets.environment": _target(RELEASE, environment="dev"),
        "targets.state": _target(IDLE, state="not-frozen"),
        "targets.url": _target(ADDRESS, url="https://health.example/always"),
        "targets.expect.status": _expect(status=404),
        "targets.expect.maxDurationMs": _expect(maxDurationMs=501),
        "targets.expect.bodyContains": _without(ADDRESS, "bodyContains"),
        "targets.timeout": _target(ADDRESS, timeout=4),
        "targets.maxAge": _target(ADDRESS, maxAge=61),
    },
    "manual": {
        "confirmers.teams": (CONFIRMED, {**CONFIRMED, "confirmers": {"users": ["second"], "teams": ["release"]}}),
        "confirmers.users": (CONFIRMED, {**CONFIRMED, "confirmers": {"users": ["approver", "second"]}}),
        "text": (CONFIRMED, {**CONFIRMED, "text": "Anything"}),
        "minConfirmations": (
            {**CONFIRMED, "confirmers": {"teams": ["release"]}, "minConfirmations": 2},
            {**CONFIRMED, "confirmers": {"teams": ["release"]}},
        ),
    },
    "approval": {},
}

CANNOT_BE_TOLD = {
    *(f"schedule {each}" for each in ("windows.start", "windows.end", "windows.timezone", "timezone")),
    *(f"policy {each}" for each in KINDS["policy"]),
    *(f"dependency {each}" for each in ("targets.product", "targets.release", "targets.environment")),
    *("dependency targets.state", "dependency targets.url", "dependency targets.expect.status"),
    *("manual text", "promotion policy gates.kind"),
}
"""What is only different: the way back counts as loosening, too."""

LOOSENINGS: dict[str, Edits] = {"approval policy": APPROVAL_POLICY, "promotion policy": PROMOTION_POLICY, **KINDS}
