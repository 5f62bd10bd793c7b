"""The judged documents of a decision as calls answer them (docs/adr/0178)."""

from typing import Any

from rest_framework import serializers

from promotions.api.document_resources import BundleDocument
from promotions.api.promotion_resources import NullableJsonField
from stellapromote.api.serializers import Resource


class ArtifactReference(Resource):
    digest = serializers.CharField()


class VexStatusCount(Resource):
    not_affected = serializers.IntegerField()
    affected = serializers.IntegerField()
    fixed = serializers.IntegerField()
    under_investigation = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        """By the words of VEX, which have underscores."""
        return serializers.Serializer.get_fields(self)


class MergedVex(Resource):
    """All VEX documents of an artifact together, trusted or not: trust is a matter of the gates."""

    documents = BundleDocument(many=True)
    merged_digest = serializers.CharField(
        allow_null=True, help_text="Of the distinct statements in order; null without a document."
    )
    status_summary = VexStatusCount(help_text="Distinct statements by status.")


class FeedReference(Resource):
    digest = serializers.CharField()
    published_at = serializers.DateTimeField()
    extract = serializers.CharField(help_text="Digest of what of the feed concerns this promotion.")


class TrustedKeyReference(Resource):
    key_id = serializers.CharField()
    name = serializers.CharField()


class EvidenceReference(Resource):
    """What the input itself says of its evidence."""

    bundle_id = serializers.UUIDField()
    bundle_digest = serializers.CharField()
    current_bundle_digest = serializers.CharField(allow_null=True)
    kev = FeedReference(allow_null=True)
    epss = FeedReference(allow_null=True)
    trusted_keys = TrustedKeyReference(many=True)
    read_by = serializers.IntegerField(required=False, allow_null=True)


class ArtifactEvidence(Resource):
    """What was known of one artifact. `inToto`: all that came in attestations."""

    artifact = ArtifactReference()
    sbom = BundleDocument(many=True)
    vulnerabilities = BundleDocument(many=True)
    attestations = BundleDocument(many=True)
    vex = MergedVex()
    in_toto = BundleDocument(many=True)
    transparency = NullableJsonField(help_text="Null: no transparency log is asked about uploaded documents.")


class EvidenceViewResource(Resource):
    """The evidence of a gate input, opened. Made from the stored input and the documents that it names."""

    schema = serializers.CharField()
    input_digest = serializers.CharField()
    instant = serializers.DateTimeField()
    evidence = EvidenceReference(allow_null=True, help_text="Null: there was no bundle.")
    artifacts = ArtifactEvidence(many=True)
