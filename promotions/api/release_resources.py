"""The answers of the calls of releases, for the documentation; presenters make the dicts (contract.md, Releases)."""

from rest_framework import serializers

from promotions.models import Component, Release
from stellapromote.api.serializers import Resource


class ComponentResource(Resource):
    name = serializers.CharField()
    image_repository = serializers.CharField()
    digest = serializers.CharField(allow_null=True)
    tag = serializers.CharField(allow_null=True)
    semver = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(Component.Role.values)


class SourceReferenceResource(Resource):
    repository = serializers.CharField(allow_null=True)
    commit_sha = serializers.CharField(allow_null=True)
    branch = serializers.CharField(allow_null=True)
    build_id = serializers.CharField(allow_null=True)
    pipeline_url = serializers.CharField(allow_null=True)
    authors = serializers.ListField(child=serializers.CharField())


class ReleaseDeploymentResource(Resource):
    """The newest deployment of the release in one environment."""

    environment_id = serializers.UUIDField()
    environment_name = serializers.CharField()
    promotion_id = serializers.UUIDField()
    promotion_number = serializers.IntegerField()
    deployed_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="Whether it is what runs there now.")


class ReleaseRow(Resource):
    id = serializers.UUIDField()
    product = serializers.CharField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    status = serializers.ChoiceField(Release.Status.values)
    manifest_digest = serializers.CharField(allow_null=True)
    created_by = serializers.UUIDField()
    created_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    finalized_at = serializers.DateTimeField(allow_null=True)


class ReleaseResource(ReleaseRow):
    description = serializers.CharField()
    status_reason = serializers.CharField(allow_null=True)
    components = ComponentResource(many=True)
    source_ref = SourceReferenceResource(allow_null=True)
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    deployments = ReleaseDeploymentResource(many=True)


class ReleaseReference(Resource):
    release_id = serializers.UUIDField()
    release_name = serializers.CharField()


class ComponentLabels(Resource):
    digest = serializers.CharField(allow_null=True)
    semver = serializers.CharField(allow_null=True)
    tag = serializers.CharField(allow_null=True)
    image_repository = serializers.CharField()
    role = serializers.CharField()


class ComponentChange(Resource):
    name = serializers.CharField()
    old = ComponentLabels()
    new = ComponentLabels()


class DiffResource(Resource):
    """Components against those of another release; `against` is null where nothing ran before."""

    against = ReleaseReference(allow_null=True)
    added = ComponentResource(many=True)
    removed = ComponentResource(many=True)
    changed = ComponentChange(many=True, help_text="Another digest, repository or role under the same name.")
    unchanged = ComponentResource(many=True)
