"""Version 1."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.outcomes import Verdict

KIND: Final = "preconditions"
KIND_VERSION: Final = 1
RANK: Final = 0
SUMMARY: Final = "The release is finalized and unchanged, still in the source, and the target takes promotions."

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "requireChangeRef": {
            "type": "boolean",
            "default": False,
            "description": "Require a change reference (change.ref) on every promotion.",
        }
    },
}


GUARDS: Final = frozenset({"requireChangeRef"})
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:  # noqa: ARG001
    """Fails for every broken precondition: none of them mends by waiting. A rollback to a deprecated release warns."""
    release, source, target, promotion = facts["release"], facts["source"], facts["target"], facts["promotion"]
    broken: dict[str, str] = {}
    status = release["status"]
    if status == "draft":
        broken["RELEASE_NOT_FINALIZED"] = f"Release {release['name']} is a draft: finalize it and request again."
    elif status == "archived":
        broken["RELEASE_ARCHIVED"] = f"Release {release['name']} is archived: promote another release."
    elif status == "deprecated" and not promotion["isRollback"]:
        broken["RELEASE_DEPRECATED"] = (
            f"Release {release['name']} is deprecated and can only be rolled back to: promote a newer release."
        )
    elif status not in ("finalized", "deprecated"):
        raise ValueError(f"no such release status: {status}")
    if release["manifestDigest"] != facts["subject"]["manifestDigest"]:
        broken["MANIFEST_CHANGED"] = (
            f"The components of release {release['name']} are not those that were requested: request again."
        )
    if source is not None and source["deployed"] is not True:
        broken["SOURCE_ROLLED_BACK"] = (
            f"Release {release['name']} was rolled back in {source['name']}: deploy it there and request again."
        )
    if target["archived"] is not False:
        broken["ENVIRONMENT_ARCHIVED"] = f"{target['name']} is archived and takes no promotions."
    if facts["supersededBy"] is not None:
        broken["SUPERSEDED"] = "A later promotion into the same environment was approved: this one is not needed."
    if config["requireChangeRef"] and not (promotion["change"] and promotion["change"]["ref"]):
        broken["CHANGE_REF_REQUIRED"] = "The policy requires a change reference: request again with change.ref."
    details = {
        "releaseStatus": status,
        "manifestDigest": release["manifestDigest"],
        "requestedManifestDigest": facts["subject"]["manifestDigest"],
        "source": None if source is None else {"name": source["name"], "deployed": source["deployed"]},
        "targetArchived": target["archived"],
        "supersededBy": facts["supersededBy"],
        "changeRef": promotion["change"]["ref"] if promotion["change"] else None,
    }
    if broken:
        return Verdict("fail", tuple(broken), details, " ".join(broken[code] for code in sorted(broken)))
    if status == "deprecated":
        return Verdict(
            "warn",
            ("RELEASE_DEPRECATED",),
            details,
            f"Release {release['name']} is deprecated; going back to it is still allowed.",
        )
    return Verdict("pass", (), details, "Release, source and target are as requested.")
