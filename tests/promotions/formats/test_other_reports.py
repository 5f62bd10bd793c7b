from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import read

OTHER_TOOLS: dict[str, tuple[dict[str, Any], str]] = {
    "Semgrep": ({"results": [{"check_id": "a", "path": "b"}], "errors": [], "version": "1.0.0"}, "Semgrep"),
    "Bandit": ({"results": [{"code": "x"}], "errors": [], "metrics": {}}, "Bandit"),
    "SARIF": ({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}, "SARIF"),
    "GitLab": ({"version": "15.0.4", "scan": {"type": "sast"}, "vulnerabilities": []}, "GitLab"),
}


@pytest.mark.parametrize("name", OTHER_TOOLS)
def test_the_report_of_another_tool_is_refused_and_says_what_to_send(name: str) -> None:
    document, said = OTHER_TOOLS[name]
    with pytest.raises(DocumentRefused) as caught:
        read("vulnerabilities", document)
    assert said in caught.value.message
    assert "Send the JSON report of Trivy, Grype or OSV-Scanner." in caught.value.message


def test_as_an_sbom_it_is_not_told_to_send_a_report() -> None:
    with pytest.raises(DocumentRefused) as caught:
        read("sbom", {"results": [], "errors": []})
    assert "Send" not in caught.value.message
