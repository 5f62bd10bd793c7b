"""What an approver sees of a scan, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from environments.actions.update_environment import update_environment
from promotions.models import Promotion
from stellapromote.accounts.models import User
from tests.browser.conftest import DESKTOP, NARROWEST, axe_in_each_look
from tests.browser.signing_in import signed_in
from tests.factories import PASSWORD, make_promotion_policy
from tests.promotions.judging.test_security_gate_end_to_end import asked, upload
from tests.promotions.judging.test_security_on_real_reports import LOG4J
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.browser

LONG: Any = {
    **LOG4J["Results"][0]["Vulnerabilities"][0],
    "VulnerabilityID": "CVE-2022-1",
    "PkgName": "a-package-with-a-very-long-name-that-has-no-place-to-break-" * 2,
    "PkgIdentifier": {},
    "FixedVersion": "",
}
TWO: Any = {
    **LOG4J,
    "Results": [
        {"Target": "Java", "Class": "lang-pkgs", "Vulnerabilities": [*LOG4J["Results"][0]["Vulnerabilities"], LONG]}
    ],
}


@pytest.fixture
def scanned(server: str) -> Promotion:
    """Rejected: two critical findings, one of them in a component with a very long name."""
    kestrel: Kestrel = make_kestrel(now=True)
    user = User.objects.get(pk=kestrel["approver"].user_id)
    user.set_password(PASSWORD)
    user.save()
    gate = {"kind": "security", "config": {"rules": {"release-aggregate-cve": {}}, "trustedUploaders": ["operator"]}}
    make_promotion_policy(kestrel["admin"], "scanned", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "scanned"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    upload(kestrel, "vulnerabilities", TWO)
    return asked(kestrel)


def test_findings_can_be_read_by_everybody(new_page: Callable[..., Page], scanned: Promotion) -> None:
    page = signed_in(new_page(), "approver", f"/promotions/{scanned.pk}")
    panel = page.get_by_role("region", name="Vulnerabilities")
    expect(panel.get_by_text("CVE-2021-44228")).to_be_visible()
    assert axe_in_each_look(page, "findings", DESKTOP, NARROWEST) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")  # of the narrowest
