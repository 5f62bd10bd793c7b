"""Our envelopes, untouched, read by others: securesystemslib and @sigstore/verify (domain.md §8)."""

import base64
import copy
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.models import EvidencePacket, Override, PublicSigningKey
from stellapromote.clock import rfc3339
from tests.factories import make_freeze
from tests.promotions.kestrel import make_kestrel

VERIFIER = Path(__file__).parent / "stock_verifier"
PATIENCE = 120
UNREACHED = ("ENOTFOUND", "ECONN", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT")

Json = dict[str, Any]


@pytest.fixture
def envelopes(db: None) -> list[Json]:
    """Of a decision, a deployment, a rollback and an override."""
    kestrel = make_kestrel()
    promotion = kestrel.approved_for_production()
    kestrel.deploys(promotion)
    kestrel.reports(promotion, "rolled_back", message="It was slow")
    frozen = kestrel.waits_for_production()
    now = kestrel.clock.now()
    end = rfc3339(now + timedelta(hours=9))
    kestrel.wait()
    make_freeze(kestrel["admin"], kestrel.production, rfc3339(now), end, clock=kestrel.clock, exceptions=["third"])
    kestrel.wait()
    override_request = OverrideRequest(
        "freeze-window", "Payments are down", "INC-7", kestrel.clock.now() + timedelta(hours=4)
    )
    override_gate(frozen.pk, override_request, by=kestrel["third"], clock=kestrel.clock)
    packets = EvidencePacket.objects.filter(promotion=promotion).order_by("generated_at", "id")
    rows = [*packets, Override.objects.get()]
    return [json.loads(bytes(row.envelope)) for row in rows]


@pytest.fixture
def key(db: None) -> PublicSigningKey:
    return PublicSigningKey.objects.get()


def changed(envelope: Json) -> Json:
    payload = base64.b64decode(envelope["payload"]).replace(b"registry.example", b"registry.exampel")
    return {**envelope, "payload": base64.b64encode(payload).decode()}


def test_the_predicates_are_named_by_uris_and_the_subjects_by_bare_digests(envelopes: list[Json]) -> None:
    assert {envelope["payloadType"] for envelope in envelopes} == {"application/vnd.in-toto+json"}
    statements = [json.loads(base64.b64decode(envelope["payload"])) for envelope in envelopes]
    assert [statement["predicateType"] for statement in statements] == [
        *["https://stella.ops/promotionCapsule/v1"] * 3,
        "https://stella.ops/humanDecision/v1",
    ]
    for statement in statements:
        [subject] = statement["subject"]
        assert subject["name"] == "registry.example/app"
        assert list(subject["digest"]) == ["sha256"]
        assert len(bytes.fromhex(subject["digest"]["sha256"])) == 32


def test_securesystemslib_takes_them(envelopes: list[Json], key: PublicSigningKey) -> None:
    theirs = SSlibKey(key.key_id, "ecdsa", "ecdsa-sha2-nistp256", {"public": key.pem})
    for envelope in envelopes:
        assert set(Envelope.from_dict(copy.deepcopy(envelope)).verify([theirs], 1)) == {key.key_id}
        with pytest.raises(VerificationError):
            Envelope.from_dict(copy.deepcopy(changed(envelope))).verify([theirs], 1)


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with verify.mjs and the packages of the lock file, from npm's registry or its cache."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("@sigstore/verify needs Node, which is not installed here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    if int(version.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"@sigstore/verify needs Node 20, this is {version.strip()}")
    folder = tmp_path_factory.mktemp("sigstore")
    for each in VERIFIER.iterdir():
        shutil.copy(each, folder)
    command = [npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer, so @sigstore/verify cannot be installed")
    if done.returncode != 0 and any(code in done.stderr for code in UNREACHED):
        pytest.skip("npm's registry is not reached, so @sigstore/verify cannot be installed")
    assert done.returncode == 0, done.stderr
    return folder


def read_by_sigstore(folder: Path, key: PublicSigningKey, envelopes: list[Json]) -> list[str | None]:
    """For each envelope, in a Sigstore bundle v0.3 with our key by its id, None or why it does not hold."""
    bundles = [
        {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "dsseEnvelope": envelope,
            "verificationMaterial": {
                "publicKey": {"hint": envelope["signatures"][0]["keyid"]},
                "tlogEntries": [],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
        }
        for envelope in envelopes
    ]
    asked = json.dumps({"keyId": key.key_id, "pem": key.pem, "bundles": bundles})
    done = subprocess.run(
        ["node", "verify.mjs"], cwd=folder, input=asked, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_sigstore_takes_them(sigstore: Path, envelopes: list[Json], key: PublicSigningKey) -> None:
    assert read_by_sigstore(sigstore, key, envelopes) == [None] * len(envelopes)
    assert read_by_sigstore(sigstore, key, [changed(each) for each in envelopes]) == ["SIGNATURE_ERROR"] * len(
        envelopes
    )
