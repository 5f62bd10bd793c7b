"""Policy as code: the settings of a tenant as one file (contract.md, /config; docs/policy-as-code.md)."""

from typing import Any

from rest_framework import serializers

from policies.api.bodies import in_wire_names
from policies.api.document_body import DocumentBody, DocumentField, as_json_schema
from promotions.actions.config import Plan, apply_config, plan_config, plan_document
from promotions.actions.config_steps import OUTCOMES
from promotions.api.promotion_schema import ConfigSchema
from promotions.reading.config import StoredConfig, config_document, config_tag, readable_sections, stored_config
from promotions.reading.config_schema import CONFIG_SCHEMA, LISTS, SCHEMA, SECTIONS
from stellapromote.accounts.scopes import ENVIRONMENT_READ, POLICY_READ, RELEASE_READ
from stellapromote.api import yaml_text
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.parameters import flag
from stellapromote.api.parsing import parse_json
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.requests import check_media_type
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiView
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError

_READS = (ENVIRONMENT_READ, RELEASE_READ, POLICY_READ)
PUBLISHED_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The configuration of a tenant of StellaPromote",
    "description": "docs/policy-as-code.md says what is applied and how.",
    **as_json_schema(CONFIG_SCHEMA),
}


class ConfigBody(DocumentBody):
    """The file, as JSON or YAML. A section that it does not have is not looked at."""

    schema = DocumentField(CONFIG_SCHEMA["properties"]["schema"])
    teams = DocumentField(LISTS["teams"], required=False)
    products = DocumentField(LISTS["products"], required=False)
    image_repositories = DocumentField(LISTS["imageRepositories"], required=False)
    approval_policies = DocumentField(LISTS["approvalPolicies"], required=False)
    promotion_policies = DocumentField(LISTS["promotionPolicies"], required=False)
    environments = DocumentField(LISTS["environments"], required=False)
    freezes = DocumentField(LISTS["freezes"], required=False)


class ConfigResource(Resource):
    """The settings that the caller may read."""

    schema = serializers.CharField(help_text=SCHEMA)
    teams = serializers.ListField(required=False)
    products = serializers.ListField(required=False)
    image_repositories = serializers.ListField(required=False, help_text="Those that all products share.")
    approval_policies = serializers.ListField(required=False)
    promotion_policies = serializers.ListField(required=False, help_text="The versions in force.")
    environments = serializers.ListField(required=False)
    freezes = serializers.ListField(required=False, help_text="Those that are not over.")


class ConfigThingResource(Resource):
    kind = serializers.ChoiceField(choices=[each.kind for each in SECTIONS])
    name = serializers.CharField()


class ConfigChangeResource(ConfigThingResource):
    section = serializers.CharField()
    place = serializers.CharField(allow_null=True, help_text="In the file; null for what it does not name.")
    verb = serializers.ChoiceField(choices=["create", "update", "remove"])
    words = serializers.ListField(child=serializers.CharField(), help_text="Each field with both values.")
    loosens = serializers.ListField(child=serializers.CharField(), help_text="What becomes easier.")
    tightens = serializers.BooleanField(help_text="Something becomes stricter.")
    outcome = serializers.ChoiceField(
        choices=OUTCOMES, allow_null=True, help_text="What an apply makes of it; null without the right to it."
    )
    message = serializers.CharField(allow_null=True)
    environments = serializers.ListField(
        child=serializers.CharField(), help_text="The protected environments that a proposal is about."
    )
    proposal_id = serializers.UUIDField(allow_null=True, help_text="Of an apply.")


class ConfigPlanResource(Resource):
    """The differences between the file and what is stored."""

    changes = ConfigChangeResource(many=True)
    unnamed = ConfigThingResource(many=True, help_text="What the sections of the file do not name, and what stays.")
    unsatisfiable = serializers.ListField(child=serializers.CharField(), help_text="What nobody there can satisfy.")
    lacking = serializers.ListField(child=serializers.CharField(), help_text="The rights that an apply needs beside.")
    tag = serializers.CharField(help_text="The ETag: it names the file, and what it was compared with.")


class ConfigView(ApiView):
    tag = "Policy as code"
    scopes = {"get": _READS}
    answers = {"get": Answer(ConfigResource, etag=True)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """The settings of the tenant as one document

        The sections that you may read, in one order: teams need `tenant:admin`, products and shared repositories
        `release:read`, policies `policy:read`, environments and freezes `environment:read`. No person, secret, draft or
        archived object is in it.
        """
        stored, tag = _stored(request)
        return ApiResponse(config_document(stored), etag=tag)


class ConfigYamlView(ApiView):
    tag = "Policy as code"
    scopes = {"get": _READS}
    answers = {"get": Answer({"type": "string"}, media_type=yaml_text.MEDIA_TYPE, etag=True)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """The settings of the tenant as YAML

        The same document, in one form: equal settings have equal bytes.
        """
        stored, tag = _stored(request)
        text = yaml_text.dump_yaml(config_document(stored)).encode()
        return ApiResponse(text, etag=tag, content_type=yaml_text.MEDIA_TYPE)


class ConfigSchemaView(ApiView):
    tag = "Policy as code"
    scopes = {"get": MEMBER}
    answers = {"get": Answer({"type": "object"})}

    def get(self, request: ApiRequest) -> ApiResponse:
        """The JSON Schema of the file."""
        return ApiResponse(PUBLISHED_SCHEMA)


class _TakesConfig(ApiView):
    """A call that takes the file, as JSON or YAML."""

    tag = "Policy as code"
    schema = ConfigSchema()
    bodies = {"post": ConfigBody}
    parameters = {"post": (flag("prune", "What the file does not name goes, where nothing needs it."),)}
    answers = {"post": Answer(ConfigPlanResource, etag=True)}
    refusals = {
        "post": (
            *("VAL_MALFORMED_YAML", "RES_DUPLICATE", "RES_NAME_USED", "RES_IN_USE", "RES_STATE_CONFLICT"),
            *("POL_INVALID", "POL_UNSATISFIABLE", "ENV_INVALID_AUTO_PROMOTE", "SYS_CLOCK_SKEW"),
        )
    }

    def check_content_type(self, header: str) -> None:
        if not _is_yaml(header):
            check_media_type(header)

    def parse_body(self, raw: bytes) -> tuple[Any, list[FieldError]]:
        yaml = _is_yaml(self.request.META.get("CONTENT_TYPE", ""))
        return yaml_text.parse_yaml(raw) if yaml else parse_json(raw)

    def _arguments(self) -> dict[str, Any]:
        config = in_wire_names(self.body)
        return {"config": config, "prune": self.query.get("prune", False), "clock": DATABASE_CLOCK}


class ConfigPlanView(_TakesConfig):
    scopes = {"post": _READS}

    def post(self, request: ApiRequest) -> ApiResponse:
        """Compare a file with the settings

        Stores nothing. It does what an apply does, and undoes it: each change has its outcome, also what would be a
        proposal. Without a right to one of the changes, none has an outcome, and `lacking` names the right.
        """
        return _answer(plan_config(by=request.actor, **self._arguments()))


class ConfigApplyView(_TakesConfig):
    scopes = {"post": tuple(sorted({each.writes for each in SECTIONS}))}
    conditional = frozenset({"post"})

    def post(self, request: ApiRequest) -> ApiResponse:
        """Make the settings what a file says

        All of it or nothing, with `If-Match` and the ETag of a plan of the same file: where anything in its sections
        changed since, it is 412. Each change is the single edit, with the same rights: what loosens a guard of a
        protected environment becomes a proposal, and a promotion policy that another person must publish a draft. What
        nobody there can satisfy is stored, guards nothing, and stands in `unsatisfiable`. What needs one of these
        waits. Applying the file again changes nothing.
        """
        return _answer(apply_config(by=request.actor, if_match=self.if_match, **self._arguments()))


def _is_yaml(header: str) -> bool:
    kind, _, parameters = header.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    return kind.strip().lower() == yaml_text.MEDIA_TYPE and charset in ("", "utf-8")


def _stored(request: ApiRequest) -> tuple[StoredConfig, str]:
    by = request.actor
    stored = stored_config(by.tenant, readable_sections(by), DATABASE_CLOCK.now())
    return stored, config_tag(by.tenant, stored)


def _answer(plan: Plan) -> ApiResponse:
    return ApiResponse(plan_document(plan), etag=plan.tag)
