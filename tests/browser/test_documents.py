"""Documents, keys and feeds in a real browser: tomas runs operations, greta administers."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from promotions.actions.trust_key import revoke_key, trust_key
from tests.browser.conftest import DESKTOP, NARROWEST, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import (
    PASSWORD,
    actor_of,
    make_environment,
    make_person,
    make_promotion,
    make_ready_tenant,
    make_release,
)
from tests.promotions.formats.samples import KEV, cyclonedx, openvex, statement, trivy, trivy_entry
from tests.promotions.uploads import Signer, feed, uploaded

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
LONG = "a-package-with-a-very-long-name-that-has-no-place-to-break-" * 2


@pytest.fixture
def paths(server: str) -> dict[str, str]:
    """The pages by name, each with something on it."""
    tenant = make_ready_tenant("kestrel-pay", name="Kestrel Pay")
    greta = actor_of(make_person(tenant, "greta", roles=["admin", "operator"], password=PASSWORD), tenant)
    make_person(tenant, "vera", roles=["viewer"], password=PASSWORD)
    dev = make_environment(greta, "dev", 1, required_approvals=1)
    release = make_release(greta, "2026.11")
    artifact = release.components.get().digest
    signer = Signer()
    trust_key("ci-signing", signer.pem, by=greta)
    revoke_key(trust_key("old-laptop", Signer("ed25519").pem, by=greta).pk, by=greta)
    feed(greta, "kev", {**KEV, "dateReleased": "2025-08-25T17:04:19Z"})
    report = trivy(
        trivy_entry(FixedVersion="1.1"), trivy_entry("CVE-2026-0002", LONG, CVSS={}), CreatedAt="2025-11-01T00:00:00Z"
    )
    made = {"report": uploaded(greta, artifact, "vulnerabilities", report)}
    promotion = make_promotion(greta, release, dev)
    odd = [{"name": LONG, "purl": LONG}, {"version": "1"}]
    bom = cyclonedx(metadata={"tools": [{"name": "syft"}]}, components=[*cyclonedx()["components"], *odd])
    made["sbom"] = uploaded(
        greta, artifact, "sbom", signer.envelope(statement("https://cyclonedx.org/bom", bom, artifact))
    )
    said = [openvex({"@id": each})["statements"][0] for each in ("pkg:npm/a@1", "pkg:oci/another-image")]
    made["vex"] = uploaded(
        greta, artifact, "vex", {**openvex(), "statements": said, "timestamp": "2025-11-01T00:00:00Z"}
    )
    return {
        "settings": "/settings/evidence",
        "release": f"/releases/{release.pk}",
        "promotion": f"/promotions/{promotion.pk}",
        **{name: f"/evidence/documents/{document.pk}" for name, document in made.items()},
    }


def keep_picture(page: Page, name: str) -> None:
    directory = os.environ.get("SCREENSHOTS")
    if directory:
        page.screenshot(path=Path(directory) / f"evidence-{name}.png", full_page=True)


def test_axe_finds_nothing_on_any_page(new_page: NewPage, paths: dict[str, str]) -> None:
    page = signed_in(new_page(), "greta", paths["settings"])
    for name, path in paths.items():
        page.goto(path)
        if name == "release":
            page.get_by_text("Upload a document").click()
        assert axe_in_each_look(page, f"evidence-{name}", DESKTOP) == []


def test_nothing_is_wider_than_a_phone(new_page: NewPage, paths: dict[str, str]) -> None:
    page = signed_in(new_page(viewport=NARROWEST), "greta", paths["settings"])
    for name, path in paths.items():
        page.goto(path)
        keep_picture(page, f"{name}-{NARROWEST['width']}")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST["width"], name


@pytest.mark.parametrize("javascript", [True, False], ids=["with script", "without script"])
def test_a_report_is_uploaded_and_taken(
    new_page: NewPage, paths: dict[str, str], tmp_path: Path, javascript: bool
) -> None:
    page = signed_in(new_page(java_script_enabled=javascript), "greta", paths["release"])
    report = tmp_path / "report.json"
    report.write_text(json.dumps(trivy(trivy_entry("CVE-2026-0009", Severity="CRITICAL", CVSS={}), CreatedAt=None)))
    page.get_by_text("Upload a document").click()
    page.get_by_label("File").set_input_files(report)
    page.get_by_role("button", name="Upload document").click()
    expect(page.get_by_text("1 critical")).to_be_visible()
    page.goto(paths["promotion"])
    page.get_by_role("button", name="Take the newest evidence").click()
    if javascript:
        page.get_by_role("dialog").get_by_role("button", name="Take the newest evidence").click()
    expect(page.get_by_text("was judged again with the newest documents")).to_be_visible()
