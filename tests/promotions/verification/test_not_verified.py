"""One value that nobody can read does not keep what is beside it from being verified: it is a finding itself."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from promotions.models import EvidenceFinding
from promotions.worker.readiness import check_readiness
from promotions.worker.verifier import Verifier
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.recorded_story import make_recorded_story
from tests.promotions.verification.story import found_in, promotions_found
from tests.sealing import seal_pending

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_recorded_story()


EVENT, PROMOTION = "audit_auditevent", "promotions_promotion"
TOLD_OF_2 = f"promotion_id = (SELECT id FROM {PROMOTION} WHERE number = 2)"
OF_PROMOTION = [
    f"UPDATE promotions_vote SET at = 'infinity' WHERE {TOLD_OF_2}",
    f"UPDATE promotions_decisionrecord SET evaluated_at = '20000-01-01' WHERE {TOLD_OF_2}",
    f"UPDATE {PROMOTION} SET last_evaluated_at = '-infinity' WHERE number = 2",
    f"UPDATE {PROMOTION} SET gates = '5' WHERE number = 2",
    f"UPDATE {PROMOTION} SET change = '{{\"ref\": 1e400}}' WHERE number = 2",
    f"UPDATE {EVENT} SET timestamp = 'infinity' WHERE {TOLD_OF_2}",
    *(
        f"UPDATE {EVENT} SET metadata = '{value}' WHERE {TOLD_OF_2}"
        for value in ("[]", "5", "null", '"state"', "{}", '{"state": 5}', '{"records": 5}')
    ),
]
OF_TENANT = [
    "UPDATE promotions_feed SET published_at = 'infinity'",
    "UPDATE promotions_evidencedocument SET uploaded_at = 'infinity' WHERE kind = 'sbom'",
    "UPDATE promotions_trustedkey SET added_at = 'infinity'",
    "UPDATE promotions_evidencebundle SET taken_at = '-infinity'",
    f"UPDATE {EVENT} SET metadata = '[]', after = '[]' WHERE action = 'evidence.uploaded'",
]


@pytest.mark.parametrize("statement", OF_PROMOTION)
def test_a_promotion_that_cannot_be_read_is_a_finding_and_the_next_one_is_verified(
    kestrel: Kestrel, tamper: Tampering, statement: str
) -> None:
    tamper.run(statement)
    tamper.run(f"UPDATE {PROMOTION} SET status_reason = 'X' WHERE number = 3")
    found = promotions_found(kestrel)
    assert 2 in {number for number, _, _ in found}
    assert (3, "PROMOTION_CHANGED", "state") in found


@pytest.mark.parametrize("statement", OF_TENANT)
def test_what_else_cannot_be_read_is_a_finding_and_the_rest_is_verified(
    kestrel: Kestrel, tamper: Tampering, statement: str
) -> None:
    tamper.run(statement)
    tamper.run("UPDATE policies_approvalpolicyversion SET canonical = canonical || ' '::bytea")
    found = found_in(kestrel)
    assert {what for _, what, _ in found} > {"POLICY_CHANGED"}


def test_the_worker_tells_of_a_promotion_that_it_cannot_read_and_goes_on(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(f"UPDATE {EVENT} SET metadata = '[]' WHERE {TOLD_OF_2}")
    tamper.run(f"UPDATE {PROMOTION} SET blind = NOT blind WHERE number = 3")
    verify_all(kestrel)
    rows = EvidenceFinding.objects.filter(gone_at=None, promotion__isnull=False)
    found = set(rows.values_list("promotion__number", "what"))
    assert {(2, "NOT_VERIFIED"), (3, "PROMOTION_CHANGED")} <= found
    assert [part.degraded for part in check_readiness() if part.name == "evidence"] == [True]


def test_the_command_tells_of_everything_and_fails(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE promotions_vote SET at = 'infinity'")
    tamper.run("UPDATE promotions_publicsigningkey SET activated_at = 'infinity'")
    out = StringIO()
    with pytest.raises(CommandError, match="the installation, kestrel"):
        call_command("verify_evidence", stdout=out)
    assert "kestrel #2 NOT_VERIFIED promotion: It cannot be verified" in out.getvalue()


def test_a_key_whose_text_is_none_is_a_finding_and_signs_nothing(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE promotions_publicsigningkey SET pem = 'none'")
    assert (3, "PACKET_CHANGED") in {each[:2] for each in promotions_found(kestrel)}


ROUND = "UPDATE promotions_evidenceround SET"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("position = '[]'", True),
        ("position = '{}'", True),
        ('position = \'{"number": "x"}\'', True),
        ("rests_until = '-infinity'", False),
        ("all_due_at = '-infinity'", False),
        ("rests_until = 'infinity'", False),
    ],
)
def test_a_walk_begins_anew_where_its_row_cannot_be_read(
    kestrel: Kestrel, tamper: Tampering, change: str, told: bool
) -> None:
    """A changed position of the walk does not keep the worker from finding the rest."""
    verify_all(kestrel)
    tamper.run(f"UPDATE {PROMOTION} SET blind = NOT blind WHERE number = 3")
    tamper.run(f"{ROUND} {change}, sequence = 1000 WHERE tenant_id = %s", [kestrel.tenant.pk])
    kestrel.wait(days=1, minutes=1)
    verify_all(kestrel)
    walk = EvidenceFinding.objects.filter(promotion=None, what="NOT_VERIFIED")
    assert [row.place for row in walk] == ["walk"] * told
    kestrel.wait(minutes=2)
    verify_all(kestrel)
    assert EvidenceFinding.objects.filter(gone_at=None, promotion__number=3).exists()
    assert not walk.filter(gone_at=None).exists()


def verify_all(kestrel: Kestrel) -> None:
    while seal_pending():
        pass
    while Verifier().verify_some(kestrel.clock):
        pass
