"""What rules and gates say, in words, for pages (product.md, principle 5). Made from documents in normal form."""

from collections.abc import Mapping
from typing import Any

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from policies.gates import REGISTRY

Part = Mapping[str, Any]


def of_rule(rule: Part) -> str:
    """`2 approvals by team security or mei`."""
    approvals = ngettext("%(count)d approval", "%(count)d approvals", rule["minApprovals"])
    return _("%(approvals)s by %(people)s") % {
        "approvals": approvals % {"count": rule["minApprovals"]},
        "people": _named(rule),
    }


def of_anyone(number: int) -> str:
    """`2 approvals by anyone who may vote`."""
    text = ngettext("%(count)d approval by anyone who may vote", "%(count)d approvals by anyone who may vote", number)
    return text % {"count": number}


def of_conditions(document: Part) -> list[str]:
    """What an approval policy asks for besides its rules."""
    duties = document["separationOfDuties"]
    told = [
        (document["commentRequired"], _("Every approval needs a comment.")),
        (document["requireSubjectDigest"], _("Every vote names the digest of what the voter saw.")),
        (document["blind"], _("Votes are hidden, until voting ends, from whoever has not voted; auditors see them.")),
        (duties["excludeReleaseCreator"], _("Whoever created the release does not vote.")),
        (duties["excludeCommitAuthors"], _("Whoever wrote commits of the release does not vote.")),
        (duties["excludePolicyEditor"], _("Whoever edited the policies in force does not vote.")),
        (duties["excludeDeployer"], _("Whoever approved or confirmed does not report the deployment.")),
    ]
    return [_("The requester never votes."), *(sentence for holds, sentence in told if holds)]


def of_gate(gate: Part) -> str:
    """What the gate asks for, with its settings."""
    in_words = _SETTINGS.get(gate["kind"])
    if in_words is not None:
        return in_words(gate["config"])
    version = REGISTRY.current.get(gate["kind"])
    return "" if version is None else REGISTRY.kinds[gate["kind"], version].summary


def _named(names: Part) -> str:
    people = [_("team %(team)s") % {"team": team} for team in names["teams"]]
    return str(get_text_list([*people, *names["users"]], _("or")))


def _preconditions(config: Part) -> str:
    if config["requireChangeRef"]:
        return _("Release, source and target are as requested, and the request names a change reference.")
    return _("Release, source and target are as requested.")


def _freeze_window(config: Part) -> str:
    if config["onFreeze"] == "fail":
        return _("No freeze is active; during one, promotions are rejected.")
    return _("No freeze is active; during one, promotions wait.")


def _schedule(config: Part) -> str:
    inside = ngettext("Inside %(count)d allowed time", "Inside one of %(count)d allowed times", len(config["windows"]))
    outside = _("rejected") if config["outside"] == "fail" else _("waiting")
    return _("%(inside)s (%(zone)s); outside, promotions are %(outside)s.") % {
        "inside": inside % {"count": len(config["windows"])},
        "zone": config["timezone"],
        "outside": outside,
    }


def _dependency(config: Part) -> str:
    return _("Holds: %(targets)s.") % {
        "targets": get_text_list([_target(each) for each in config["targets"]], _("and"))
    }


def _target(target: Part) -> str:
    if target["type"] == "release":
        words = _("release %(release)s is deployed in %(environment)s")
    elif target["state"] == "idle":
        words = _("nothing is being deployed in %(environment)s")
    else:
        words = _("%(environment)s is not frozen")
    return words % {"release": target.get("release", ""), "environment": target["environment"]}


def _manual(config: Part) -> str:
    number = config["minConfirmations"]
    confirmations = ngettext("%(count)d confirmation", "%(count)d confirmations", number) % {"count": number}
    return _("%(confirmations)s by %(people)s: %(text)s") % {
        "confirmations": confirmations,
        "people": _named(config["confirmers"]),
        "text": config["text"],
    }


def _evidence(config: Part) -> str:
    wanted = []
    if config["requireSbom"]:
        formats = get_text_list(config["formats"], _("or"))
        sbom = _("an SBOM (%(formats)s)") % {"formats": formats} if formats else _("an SBOM")
        valid = config.get("requireValidSchema", False)
        wanted.append(_("%(sbom)s that its schema finds valid") % {"sbom": sbom} if valid else sbom)
    wanted += [_("an attestation %(type)s") % {"type": each} for each in config["requiredPredicateTypes"]]
    documents = get_text_list(wanted, _("and"))
    if config["trustedKeys"]:
        return _("Each artifact has %(documents)s, signed by %(keys)s.") % {
            "documents": documents,
            "keys": get_text_list(config["trustedKeys"], _("or")),
        }
    return _("Each artifact has %(documents)s.") % {"documents": documents}


def _security(config: Part) -> str:
    words = _("The rules %(rules)s hold; scans and VEX of %(trusted)s are believed.")
    if config["environments"]:
        words = _(
            "The rules %(rules)s hold, with other settings in %(environments)s; "
            "scans and VEX of %(trusted)s are believed."
        )
    told = words % {
        "rules": get_text_list(sorted(config["rules"]), _("and")),
        "environments": get_text_list(sorted(config["environments"]), _("and")),
        "trusted": get_text_list([*config["trustedKeys"], *config["trustedUploaders"]], _("and")),
    }
    severity = {
        "cvss": _("The severity of a finding is the band of its CVSS score."),
        "scanner": _("The severity of a finding is what the scanner concludes."),
    }.get(config.get("severityFrom", "worst"))
    accepted = _("What a scanner was told to ignore does not count.") if config.get("acceptSuppressed") else None
    return " ".join(filter(None, (told, severity, accepted)))


_SETTINGS = {
    "preconditions": _preconditions,
    "evidence": _evidence,
    "security": _security,
    "freeze-window": _freeze_window,
    "schedule": _schedule,
    "dependency": _dependency,
    "manual": _manual,
}
