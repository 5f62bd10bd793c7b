"""Reports that are not read, recognised so that their refusal can name what to send instead. Pure."""

from typing import Any, Final

_SEND: Final = "Send the JSON report of Trivy, Grype or OSV-Scanner."


def what_to_send(kind: str, document: dict[str, Any]) -> str:
    """A sentence, with a space before it, about a report whose form is known; else nothing."""
    if kind != "vulnerabilities":
        return ""
    if isinstance(document.get("runs"), list):
        return f" This is SARIF: it says what was found, and not which packages were looked at. {_SEND}"
    if isinstance(document.get("scan"), dict) and isinstance(document.get("vulnerabilities"), list):
        return f" This is a report in GitLab's form, which is not read. {_SEND}"
    if "auditReportVersion" in document or isinstance(document.get("advisories"), dict):
        return f" This is a report of npm audit: run Trivy, Grype or OSV-Scanner on the lockfile or image. {_SEND}"
    if "dependencyCount" in document and isinstance(document.get("vulnerabilities"), list):
        return f" This is a report of Snyk, which is not read. {_SEND}"
    if isinstance(document.get("dependencies"), list) and "fixes" in document:
        return f" This is a report of pip-audit, which is not read. {_SEND}"
    if "ClusterName" in document:
        return f" This is Trivy's report of a cluster: run trivy image for each image. {_SEND}"
    if isinstance(document.get("results"), list):
        return (
            " Its results name no packages. Tools that look at code or servers (Semgrep, Bandit) write such reports:"
            f" they say nothing of the packages in the artifact. {_SEND}"
        )
    return ""
