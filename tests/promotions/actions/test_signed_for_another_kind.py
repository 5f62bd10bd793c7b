"""A signature over VEX is none under a clean scan: who uploads the document chooses its kind (docs/adr/0193)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from promotions.actions.trust_key import trust_key
from promotions.actions.upload_document import SignatureState, Upload, read_upload, upload_document
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, cyclonedx_entry, statement
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer
from tests.promotions.verification.story import found_in

BOM = "https://cyclonedx.org/bom"
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
ANALYSED = cyclonedx_entry(analysis={"state": "not_affected", "justification": "code_not_present"})
SCANNED = cyclonedx_entry()


@pytest.fixture
def kestrel(db: None) -> Iterator[Kestrel]:
    """After each test nothing is found: what the product did is no finding."""
    kestrel = make_kestrel()
    yield kestrel
    assert found_in(kestrel) == []


def signature_of(kestrel: Kestrel, kind: str, inside: Any) -> tuple[SignatureState, bool]:
    """What is found when the requester sends what a trusted key signed, and whether it counts as that key's."""
    signer, by = Signer(), kestrel["operator"]
    trust_key("security-team", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    reading = read_upload(Upload(ARTIFACT, kind, json.dumps(signer.envelope(inside)).encode()), by=by)
    stored = upload_document(reading, by=by, clock=kestrel.clock)
    return stored.signature.found, bool(stored.document.signer)


@pytest.mark.parametrize("others", [(), (SCANNED,)])
def test_vex_that_a_key_signed_is_no_scan_of_that_key(kestrel: Kestrel, others: tuple[Any, ...]) -> None:
    """It lists the software that it speaks of, and looks like a report that found nothing else."""
    document = cyclonedx(vulnerabilities=[ANALYSED, *others])
    assert signature_of(kestrel, "vulnerabilities", statement(BOM, document)) == (SignatureState.UNBOUND, False)


@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("vex", statement(BOM, cyclonedx(vulnerabilities=[ANALYSED]))),
        ("sbom", statement(BOM, cyclonedx(vulnerabilities=[ANALYSED]))),
        ("vulnerabilities", statement(BOM, cyclonedx(vulnerabilities=[SCANNED]))),
        ("vulnerabilities", statement(SCAN, {"scanner": {"result": cyclonedx(vulnerabilities=[ANALYSED])}})),
    ],
)
def test_what_it_was_signed_as_counts(kestrel: Kestrel, kind: str, inside: Any) -> None:
    assert signature_of(kestrel, kind, inside) == (SignatureState.TRUSTED, True)
