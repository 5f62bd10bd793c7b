"""The bodies of the calls of products, releases and promotions (contract.md): shape and bounds; the actions have the
rules."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from promotions.actions.products import MOST_OWNER_TEAMS, MOST_STEPS
from promotions.actions.report_deployment import REPORTS
from promotions.models import Component, OverrideReview
from promotions.models.promotion import CHANGE_TYPES
from promotions.models.release import (
    COMPONENT_NAME_PATTERN,
    MAX_COMPONENTS,
    RELEASE_NAME_PATTERN,
    TAG_PATTERN,
)
from stellapromote import wrong_values as wrong
from stellapromote.api.fields import (
    DigestField,
    HttpUrlField,
    LineField,
    PatternField,
    SlugField,
    StrictBooleanField,
    StrictChoiceField,
    StrictDateTimeField,
    StrictListField,
    StrictUUIDField,
    TextField,
)
from stellapromote.api.reading import refused
from stellapromote.api.serializers import Bodies, Body, camel
from stellapromote.image_repositories import MOST_OF_A_PRODUCT, PATTERN, WRITTEN


def _component_name() -> PatternField:
    return PatternField(
        COMPONENT_NAME_PATTERN, "Use letters, digits, dots, underscores, slashes and hyphens.", max_length=128
    )


def _release_name(**options: Any) -> PatternField:
    return PatternField(
        RELEASE_NAME_PATTERN,
        "Use letters, digits, dots, underscores, plus signs and hyphens, beginning and ending with a letter or digit.",
        max_length=128,
        **options,
    )


class ComponentBody(Body):
    """One OCI artifact. Its digest is what is released; tag and semver are labels for people."""

    name = _component_name()
    image_repository = PatternField(
        WRITTEN, "Use host, port and path without tag or digest: registry.example/team/api.", max_length=255
    )
    digest = DigestField(required=False, allow_null=True, help_text="Needed to finalize.")
    tag = PatternField(
        TAG_PATTERN,
        "Use letters, digits, dots, underscores and hyphens.",
        max_length=128,
        required=False,
        allow_null=True,
    )
    semver = LineField(max_length=128, required=False, allow_null=True)
    role = StrictChoiceField(choices=Component.Role.values, required=False)


class SourceReferenceBody(Body):
    """Where the release comes from."""

    repository = LineField(max_length=500, required=False, allow_null=True)
    commit_sha = PatternField(
        r"^[0-9a-fA-F]*$", "Use hexadecimal digits.", max_length=64, required=False, allow_null=True
    )
    branch = LineField(max_length=255, required=False, allow_null=True)
    build_id = LineField(max_length=200, required=False, allow_null=True)
    pipeline_url = HttpUrlField(max_length=1000, required=False, allow_null=True)
    authors = StrictListField(
        child=LineField(max_length=254),
        max_length=500,
        required=False,
        help_text="Usernames or e-mail addresses of the authors of the commits; policies may exclude them from voting, "
        "and then refuse names that nobody here has: `external:name` says that somebody has no account here.",
    )


class ReleaseChanges(Body):
    """Any part of a draft; `components` and `sourceRef` are replaced as a whole."""

    name = _release_name()
    product = SlugField(required=False)
    display_name = LineField(max_length=200, required=False, allow_blank=True)
    description = TextField(max_length=5000, required=False, allow_blank=True)
    components = Bodies(child=ComponentBody(), max_length=MAX_COMPONENTS, required=False)
    source_ref = SourceReferenceBody(required=False, allow_null=True)


class NewRelease(ReleaseChanges):
    finalize = StrictBooleanField(required=False, help_text="Fix the components at once.")


def _repository_pattern(**options: Any) -> PatternField:
    return PatternField(
        PATTERN,
        "Name a repository, such as ghcr.io/acme/pay, or all below one: ghcr.io/acme/*.",
        max_length=255,
        **options,
    )


class ProductChanges(Body):
    display_name = LineField(max_length=200, required=False)
    description = TextField(max_length=2000, required=False, allow_blank=True)
    image_repositories = StrictListField(
        child=_repository_pattern(),
        max_length=MOST_OF_A_PRODUCT,
        required=False,
        help_text="Their images belong to this product alone. A name that ends in `/*` is all below it. A release that "
        "is finalized adds the repositories of its images that no product has.",
    )
    owner_teams = StrictListField(
        child=SlugField(),
        max_length=MOST_OWNER_TEAMS,
        required=False,
        help_text="The short names of the teams that own the product; the list is replaced as a whole.",
    )
    path = StrictListField(
        child=SlugField(),
        max_length=MOST_STEPS,
        min_length=1,
        required=False,
        allow_null=True,
        help_text="The names of the environments that its releases pass, in the promotion order; null: all of them, "
        "those to come included. Environments that are required on every path are on it too.",
    )


class NewProduct(ProductChanges):
    slug = SlugField(help_text="Its name in releases and filters. It never changes.")


class SharedRepository(Body):
    name = _repository_pattern(help_text="A repository, or all below one, which ends in `/*`.")


class DeprecationReason(Body):
    reason = LineField(max_length=500, help_text="Shown to everybody whose promotion is rejected for it.")


class ChangeBody(Body):
    """The change record that the promotion belongs to: shown, filtered and sealed."""

    ref = LineField(max_length=64, required=False, allow_null=True)
    url = HttpUrlField(max_length=500, required=False, allow_null=True)
    type = StrictChoiceField(choices=CHANGE_TYPES, required=False, allow_null=True)
    backout = TextField(max_length=2000, required=False, allow_null=True)


class NewPromotion(Body):
    """Exactly one of releaseId and releaseName, and one of targetEnvironmentId and targetEnvironment."""

    release_id = StrictUUIDField(required=False)
    release_name = _release_name(required=False)
    product = SlugField(
        required=False, help_text="The product of releaseName, where releases of several products have that name."
    )
    target_environment_id = StrictUUIDField(required=False)
    target_environment = SlugField(required=False, help_text="The name of the environment.")
    reason = TextField(max_length=2000)
    change = ChangeBody(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        problems: dict[str, Any] = {}
        for one, other in (("release_id", "release_name"), ("target_environment_id", "target_environment")):
            if (one in attrs) == (other in attrs):
                message = f"Give exactly one of {camel(one)} and {camel(other)}."
                problems[camel(one)] = [serializers.ErrorDetail(message, code="required")]
        if "product" in attrs and "release_id" in attrs:
            message = "A releaseId is of one product: give product with releaseName alone."
            problems["product"] = [serializers.ErrorDetail(message, code="invalid")]
        if problems:
            raise serializers.ValidationError(problems)
        return attrs


class _Seen(Body):
    subject_digest = DigestField(
        required=False, help_text="The subjectDigest that you saw: the vote counts for this subject only."
    )


class Approval(_Seen):
    comment = TextField(max_length=2000, required=False, allow_blank=True)


class Rejection(_Seen):
    reason = TextField(max_length=2000, help_text="The change that is needed before it may be requested again.")


class OverrideBody(_Seen):
    """Why one gate is passed over, where that is followed up, and until when."""

    reason = TextField(max_length=2000)
    ticket = LineField(max_length=200)
    expires_at = StrictDateTimeField(help_text="Within what the policy allows; 24 hours for a freeze.")
    decision_id = StrictUUIDField(
        required=False, help_text="The decision record that you saw: the override lifts only its reasons for the gate."
    )


class ReviewBody(Body):
    verdict = StrictChoiceField(choices=OverrideReview.Verdict.values)
    comment = TextField(max_length=2000, required=False, allow_blank=True, help_text="Required with an objection.")


class Cancellation(Body):
    reason = TextField(max_length=2000, required=False, allow_blank=True)


class DeploymentReport(Body):
    status = StrictChoiceField(choices=REPORTS)
    message = TextField(
        max_length=2000, required=False, allow_blank=True, help_text="The reason of a rollback; required there."
    )
    url = HttpUrlField(
        max_length=500,
        required=False,
        help_text="An address to follow the deployment; it holds for the later reports of the attempt too.",
    )
    manifest_digest = DigestField(required=False, help_text="The manifestDigest of the deployed release.")
    run_id = LineField(
        max_length=200,
        required=False,
        help_text="Your name of the run that deploys. While it deploys, `started` by another run, or without one, is "
        "409, and so is an end by another run.",
    )


class EvidenceDocument(Body):
    """A packet as GET …/evidence gives it, or a DSSE envelope; what is wrong in it is a failed check, not a 400."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise refused(wrong.another_type("object"))
        return {"document": data}


def source_reference(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """sourceRef as it is stored: every field is there, null where nothing was given."""
    if given is None:
        return None
    names = ("repository", "commit_sha", "branch", "build_id", "pipeline_url")
    return {**{camel(name): given.get(name) for name in names}, "authors": given.get("authors", [])}


def change_record(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`change` as it is stored; null when nothing in it says anything."""
    stored = {name: (given or {}).get(name) for name in ("ref", "url", "type", "backout")}
    return stored if any(value is not None for value in stored.values()) else None
