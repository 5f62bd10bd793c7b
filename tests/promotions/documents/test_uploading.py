"""A small document waits for no large one: each size has a child of its own (docs/adr/0060)."""

import json

import pytest

from promotions.documents import uploading
from promotions.documents.uploading import UploadsBusy, read_in_isolation
from stellapromote.isolation import pool
from tests.promotions.formats.samples import cyclonedx

ARTIFACT = "sha256:" + "a" * 64


@pytest.mark.parametrize(("busy", "size"), [("documents", "small"), ("small-documents", "large")])
def test_a_document_waits_for_none_of_the_other_size(busy: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "PATIENCE", 0.01)
    small = json.dumps(cyclonedx()).encode()
    large = small + b" " * (uploading.SMALL + 1 - len(small))
    goes, waits = (small, large) if size == "small" else (large, small)
    with pool._pool._seats[busy].lock:
        assert read_in_isolation("sbom", ARTIFACT, goes)
        with pytest.raises(UploadsBusy):
            read_in_isolation("sbom", ARTIFACT, waits)
