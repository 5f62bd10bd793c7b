"""Trusted keys through HTTP: who trusts one, and what a signature by it makes of a document."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from policies.models import WeakeningEdit
from promotions.models import TrustedKey
from stellapromote.audit.models import AuditEvent
from tests.promotions.api.documents import body
from tests.promotions.api.world import World
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, openvex, statement, trivy
from tests.promotions.uploads import Signer


def trusted(world: World, signer: Signer, name: str = "ci") -> dict[str, Any]:
    answer: dict[str, Any] = world.greta.ok("POST", "trusted-keys", {"name": name, "pem": signer.pem}, status=201)
    return answer


def test_a_signature_of_a_trusted_key_makes_it_the_signer(world: World) -> None:
    signer = Signer()
    key = trusted(world, signer)
    sent = body("sbom", signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())))
    made = world.tomas.ok("POST", "evidence", sent, status=201)
    assert (made["signer"], made["predicateType"]) == (key["keyId"], "https://cyclonedx.org/bom")


@pytest.mark.parametrize(("kind", "document"), [("vulnerabilities", trivy()), ("vex", openvex())], ids=["clean", "vex"])
def test_a_signed_document_that_names_no_artifact_counts_for_its_uploader_only(
    world: World, kind: str, document: dict[str, Any]
) -> None:
    signer = Signer()
    trusted(world, signer)
    made = world.tomas.ok("POST", "evidence", body(kind, signer.envelope(document)), status=201)
    assert (made["signer"], [each["username"] for each in made["uploadedBy"]]) == (None, ["tomas"])


def test_the_answer_says_what_was_found_of_the_signature_and_what_follows(world: World) -> None:
    def found(document: Any, kind: str = "sbom") -> tuple[str, str]:
        answer = world.tomas.ok("POST", "evidence", body(kind, document), status=201)["signature"]
        return answer["found"], answer["message"]

    trusted_signer, other = Signer(), Signer()
    trusted(world, trusted_signer, "ci-signing")
    signed = statement("https://cyclonedx.org/bom", cyclonedx())
    state, message = found(trusted_signer.envelope(signed))
    assert (state, "ci-signing" in message) == ("trusted", True)
    state, message = found(other.envelope(signed))
    assert state == "unknown"
    assert "by no key that is trusted here: it counts as said by tomas" in message
    assert "upload the document again" in message
    state, message = found(trusted_signer.envelope(openvex()), "vex")
    assert state == "unbound"
    assert "does not name the artifact by its digest: it counts as said by tomas" in message
    state, message = found(cyclonedx())
    assert (state, message.startswith("It is not signed: it counts as said by tomas")) == ("none", True)
    assert "signature" not in world.tomas.get("evidence")["data"][0]


def test_a_signed_document_that_names_its_artifact_has_its_signer(world: World) -> None:
    signer = Signer()
    key = trusted(world, signer)
    report = trivy(Metadata={"RepoDigests": [f"registry.example/app@{ARTIFACT}"]})
    assert (
        world.tomas.ok("POST", "evidence", body(document=signer.envelope(report)), status=201)["signer"] == key["keyId"]
    )


def test_a_key_that_is_trusted_later_counts_when_the_document_is_sent_again(world: World) -> None:
    signer = Signer()
    sent = body("sbom", signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())))
    assert world.tomas.ok("POST", "evidence", sent, status=201)["signer"] is None
    key = trusted(world, signer)
    assert world.tomas.ok("POST", "evidence", sent, status=201)["signer"] == key["keyId"]


def test_a_key_of_another_tenant_is_not_trusted(world: World, stranger: World) -> None:
    signer = Signer()
    key = trusted(stranger, signer)
    sent = body("sbom", signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())))
    assert world.tomas.ok("POST", "evidence", sent, status=201)["signer"] is None
    assert world.greta.refused("DELETE", f"trusted-keys/{key['id']}") == (404, "RES_NOT_FOUND")
    assert world.greta.get("trusted-keys")["data"] == []


def test_a_forged_signature_in_the_name_of_a_trusted_key_is_refused(world: World) -> None:
    key = trusted(world, Signer())
    forged = Signer().envelope(statement("https://cyclonedx.org/bom", cyclonedx()), key_id=key["keyId"])
    assert world.tomas.refused("POST", "evidence", body("sbom", forged)) == (422, "EVD_INVALID_DOCUMENT")


def test_trusting_a_key_is_a_weakening_edit_and_audited(world: World) -> None:
    trusted(world, Signer())
    assert "ci" in WeakeningEdit.objects.latest("at").what
    assert AuditEvent.objects.filter(action="trusted_key.added").count() == 1


def test_a_key_is_trusted_once_and_may_come_back_after_it_was_revoked(world: World) -> None:
    signer = Signer()
    key = trusted(world, signer)
    again = {"name": "other", "pem": signer.pem}
    assert world.greta.refused("POST", "trusted-keys", again) == (409, "RES_DUPLICATE")
    assert world.greta.ok("DELETE", f"trusted-keys/{key['id']}")["revokedAt"]
    assert world.greta.refused("DELETE", f"trusted-keys/{key['id']}") == (409, "RES_STATE_CONFLICT")
    world.greta.ok("POST", "trusted-keys", again, status=201)


def test_only_an_administrator_trusts_keys(world: World) -> None:
    assert world.tomas.refused("POST", "trusted-keys", {"name": "x", "pem": Signer().pem}) == (403, "PERM_DENIED")


def test_a_private_key_is_refused_and_shown_nowhere(world: World) -> None:
    secret = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByq\n-----END PRIVATE KEY-----"
    response = world.greta.call("POST", "trusted-keys", {"name": "x", "pem": secret})
    assert response.status_code == 400
    assert b"MIGHAgEA" not in response.content


def test_a_revoked_key_cannot_be_brought_back_in_the_database(world: World) -> None:
    key = trusted(world, Signer())
    world.greta.ok("DELETE", f"trusted-keys/{key['id']}")
    with pytest.raises(DatabaseError), transaction.atomic():
        TrustedKey.objects.update(revoked_at=None, revoked_by=None)
