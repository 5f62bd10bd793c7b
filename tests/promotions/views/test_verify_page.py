"""The page that checks a packet somebody holds reads it as strictly as the API: one text, one document."""

import json
from io import BytesIO

import pytest

from promotions.models import EvidencePacket
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db

HOLDS = "Exactly this is stored in this installation"


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


@pytest.fixture
def packet(kestrel: Kestrel) -> str:
    kestrel.ask(kestrel.release(), kestrel.dev)
    return bytes(EvidencePacket.objects.first().document).decode()  # type: ignore[union-attr]


def checked(kestrel: Kestrel, document: bytes) -> tuple[int, str]:
    sent = BytesIO(document)
    sent.name = "packet.json"
    answer = client_of(kestrel, "auditor").post("/evidence/verify", {"file": sent})
    return answer.status_code, answer.content.decode()


def test_a_packet_holds_with_a_byte_order_mark_and_without(kestrel: Kestrel, packet: str) -> None:
    for text in (packet, "\ufeff" + packet):
        status, page = checked(kestrel, text.encode())
        assert (status, HOLDS in page) == (200, True)


def test_a_packet_that_says_two_things_does_not_hold(kestrel: Kestrel, packet: str) -> None:
    """The first of two equal names is what some readers show, the last is what was signed."""
    status, page = checked(kestrel, f'{{"content": {json.dumps({"fake": True})}, {packet[1:]}'.encode())
    assert (status, HOLDS in page, "stands twice" in page) == (400, False, True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_packet_in_another_encoding_is_refused_with_what_to_do(kestrel: Kestrel, packet: str, encoding: str) -> None:
    status, page = checked(kestrel, packet.encode(encoding))
    assert (status, "save it as UTF-8" in page) == (400, True)


def test_what_is_no_json_is_refused(kestrel: Kestrel) -> None:
    status, page = checked(kestrel, b"{")
    assert (status, "not JSON" in page) == (400, True)
