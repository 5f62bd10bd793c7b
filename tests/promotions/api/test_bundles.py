"""Bundles of documents through HTTP: which documents are in one, its digest, and the promotion that takes it."""

from promotions.models import EvidenceBundle
from tests.promotions.api.documents import body
from tests.promotions.api.world import World
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, openvex, trivy


def test_the_same_documents_make_the_same_bundle(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    one = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    two = world.ravi.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert (one["bundleId"], one["bundleDigest"]) == (two["bundleId"], two["bundleDigest"])
    assert EvidenceBundle.objects.count() == 1
    assert world.vera.get(f"evidence/{one['bundleId']}") == one


def test_the_same_documents_have_one_digest_in_every_installation(world: World, stranger: World) -> None:
    for each in (stranger, world):
        each.tomas.ok("POST", "evidence", body(), status=201)
    asked = {"artifactDigests": [ARTIFACT]}
    ours, theirs = (each.tomas.ok("POST", "evidence/snapshot", asked, status=201) for each in (world, stranger))
    assert ours["documentsDigest"] == theirs["documentsDigest"]
    assert ours["bundleDigest"] != theirs["bundleDigest"]  # who sent them and when is in it
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    more = world.tomas.ok("POST", "evidence/snapshot", asked, status=201)
    assert more["documentsDigest"] != ours["documentsDigest"]


def test_a_report_replaces_another_of_the_same_tool_and_uploader(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    later = trivy(CreatedAt="2026-11-02T08:00:00Z")
    newer = world.tomas.ok("POST", "evidence", body(document=later), status=201)
    taken = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert [each["digest"] for each in taken["vulnerabilities"]] == [newer["documentDigest"]]


def test_a_clean_report_of_somebody_else_makes_no_finding_disappear(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.ravi.ok("POST", "evidence", body(document=trivy()), status=201)
    taken = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert len(taken["vulnerabilities"]) == 2


def test_somebody_who_is_not_trusted_cannot_take_the_place_of_who_is(world: World) -> None:
    sent = body("vex", openvex({"@id": "pkg:deb/debian/openssl@1.0"}))
    world.ravi.ok("POST", "evidence", sent, status=201)
    world.tomas.ok("POST", "evidence", sent, status=201)
    taken = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    people = sorted(each["uploadedBy"][0]["username"] for each in taken["vex"])
    assert people == ["ravi", "tomas"]


def test_the_score_says_what_is_there(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    answer = world.vera.get(f"evidence/score?artifactId={ARTIFACT}")
    assert (answer["evidenceScore"], answer["hasSbom"], answer["hasAttestation"]) == (50, True, False)
    assert world.vera.refused("GET", "evidence/score") == (400, "VAL_INVALID")


def test_a_promotion_answers_with_its_bundle_and_takes_a_newer_one(world: World) -> None:
    promotion = world.waiting()
    assert world.vera.get(f"promotions/{promotion.pk}")["evidenceBundle"] is None
    artifact = promotion.release.components.get().digest
    world.tomas.ok("POST", "evidence", body(artifact=artifact), status=201)
    taken = world.tomas.ok("POST", f"promotions/{promotion.pk}/evidence-bundle", {})
    snapshot = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [artifact]}, status=201)
    assert taken["evidenceBundle"] == {"id": snapshot["bundleId"], "digest": snapshot["bundleDigest"]}


def test_a_viewer_takes_no_evidence(world: World, stranger: World) -> None:
    promotion = world.waiting()
    path = f"promotions/{promotion.pk}/evidence-bundle"
    assert world.vera.refused("POST", path, {}) == (403, "PERM_DENIED")
    assert stranger.tomas.refused("POST", path, {}) == (404, "RES_NOT_FOUND")
    assert world.tomas.refused("POST", path, {}) == (422, "EVD_NO_DOCUMENTS")
