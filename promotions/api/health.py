"""Liveness and readiness (contract.md). Public, so they name parts and what to do, never addresses or keys."""

from dataclasses import asdict

from rest_framework import serializers

from promotions.worker.readiness import check_readiness
from stellapromote.api.declarations import PUBLIC, Answer
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiView
from stellapromote.errors import ProductError


class LivenessResource(Resource):
    status = serializers.ChoiceField(["ok"])


class PartResource(Resource):
    name = serializers.ChoiceField(["database", "migrations", "clock", "signingKey", "worker", "auditLog", "evidence"])
    ok = serializers.BooleanField()
    degraded = serializers.BooleanField(
        help_text="It works, and something about it needs somebody: `message` says what."
    )
    message = serializers.CharField()


class ReadinessResource(Resource):
    status = serializers.ChoiceField(["ready"])
    parts = PartResource(many=True)


class HealthView(ApiView):
    """The process."""

    tag = "Operations"
    scopes = {"get": PUBLIC}
    answers = {"get": Answer(LivenessResource)}
    counted = False

    def get(self, request: ApiRequest) -> ApiResponse:
        """The process lives; the database is not asked."""
        return ApiResponse({"status": "ok"})


class ReadyView(ApiView):
    """The installation."""

    tag = "Operations"
    scopes = {"get": PUBLIC}
    answers = {"get": Answer(ReadinessResource)}
    counted = False

    def get(self, request: ApiRequest) -> ApiResponse:
        """The installation can do its work: database, migrations, clock, signing key, worker, audit log, evidence

        503 names the parts that cannot, and what to do, in `error.details.parts`.
        """
        parts = check_readiness()
        failed = [part for part in parts if not part.ok]
        found = [asdict(part) for part in parts]
        if failed:
            message = " ".join(dict.fromkeys(part.message for part in failed))  # each cause once
            raise ProductError(message, code="SYS_UNAVAILABLE", details={"parts": found})
        return ApiResponse({"status": "ready", "parts": found})
