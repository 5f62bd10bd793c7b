"""Evidence packets, the keys they verify with, and their verification (domain.md §8; contract.md)."""

from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.decorators import action

from promotions.api.promotion_resources import JsonField
from promotions.api.promotion_schema import VerificationSchema
from promotions.models import EvidencePacket, PublicSigningKey
from promotions.packets.verifying import CHECKS
from promotions.packets.verifying.audit_head import verify_here
from promotions.pages.bodies import EvidenceDocument
from promotions.reading.queries import existing_promotion
from promotions.voting.blindness import check_can_see_votes
from stellapromote.accounts.scopes import EVIDENCE_READ
from stellapromote.api.declarations import PUBLIC, Answer
from stellapromote.api.exceptions import NotFound
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiView, ApiViewSet
from stellapromote.signing.keyring import public_jwk, public_key_from_pem


class SignatureResource(Resource):
    keyid = serializers.CharField()
    sig = serializers.CharField()


class EnvelopeResource(Resource):
    """A DSSE envelope around an in-toto statement."""

    payload = serializers.CharField()
    payload_type = serializers.CharField()
    signatures = SignatureResource(many=True)


class PacketResource(Resource):
    """The packet as it was signed, with its DSSE envelope beside it: leave `envelope` out to verify `signature`."""

    schema = serializers.CharField()
    id = serializers.UUIDField()
    version = serializers.CharField()
    type = serializers.ChoiceField(EvidencePacket.Type.values)
    tenant_id = serializers.UUIDField()
    generated_at = serializers.DateTimeField()
    generator_version = serializers.CharField()
    content = JsonField()
    content_hash = serializers.CharField()
    signature_algorithm = serializers.CharField()
    signer_key_ref = serializers.CharField()
    signature = serializers.CharField(
        help_text="In base64, over the canonical packet without it: ECDSA in DER; raw r‖s in version 1.0."
    )
    envelope = EnvelopeResource()


class KeyResource(Resource):
    """A JSON Web Key (RFC 7517) with what else is known of it."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    y = serializers.CharField()
    use = serializers.CharField()
    kid = serializers.CharField()
    pem = serializers.CharField()
    status = serializers.ChoiceField(["active", "retired"])
    activated_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class KeySetResource(Resource):
    keys = KeyResource(many=True)


class EvidenceCheckResource(Resource):
    name = serializers.ChoiceField(CHECKS)
    result = serializers.ChoiceField(["passed", "failed", "skipped"])
    message = serializers.CharField()


class SaidOfEnvironmentResource(Resource):
    id = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class SaidOfPromotionResource(Resource):
    id = serializers.CharField(allow_null=True)
    number = serializers.IntegerField(allow_null=True)


class VerificationResource(Resource):
    valid = serializers.BooleanField()
    kind = serializers.ChoiceField(["packet", "envelope", "unknown"])
    packet_id = serializers.CharField(allow_null=True)
    type = serializers.CharField(allow_null=True)
    generated_at = serializers.CharField(allow_null=True)
    key_id = serializers.CharField(allow_null=True)
    tenant_id = serializers.CharField(allow_null=True)
    result = serializers.CharField(
        allow_null=True,
        help_text="Of a decision `allow` or `deny`, of a deployment or rollback its status, of a human decision "
        "`override`. A document that says `deny` is valid, too.",
    )
    environment = SaidOfEnvironmentResource(allow_null=True)
    promotion = SaidOfPromotionResource(allow_null=True)
    checks = EvidenceCheckResource(many=True)


class PromotionPacketViewSet(ApiViewSet):
    """What was signed about one promotion."""

    tag = "Evidence"
    scopes = {"evidence": EVIDENCE_READ}
    parameters = {"evidence": PAGING}
    answers = {"evidence": Answer(PacketResource, paged=True)}
    refusals = {"evidence": ("PERM_BLIND",)}

    @action(detail=True)
    def evidence(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The packets of the promotion, oldest first

        404 while it is undecided. `PERM_BLIND` when it takes votes again that you are not shown: packets name voters.
        """
        promotion = existing_promotion(request.actor.tenant, pk)
        packets = EvidencePacket.objects.filter(promotion=promotion)
        if not packets.exists():
            raise NotFound("Nothing is decided yet, so there is no evidence: ask again after the decision.")
        check_can_see_votes(request.actor, promotion)
        return self.page(packets, present=_packet, order=("generated_at", "id"))

    def resource(self) -> dict[str, Any]:
        existing_promotion(self.request.actor.tenant, self.kwargs["pk"])
        return {}


class KeysView(ApiView):
    """Public keys, for anybody who verifies evidence."""

    tag = "Evidence"
    scopes = {"get": PUBLIC}
    answers = {"get": Answer(KeySetResource)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Every key this installation signs or signed with

        A JSON Web Key Set; each key also as PEM. Retired keys still verify what they signed and what is stored here.
        """
        return ApiResponse({"keys": [_key(row) for row in PublicSigningKey.objects.order_by("activated_at", "key_id")]})


class VerifyView(ApiView):
    """Verification of what somebody holds."""

    tag = "Evidence"
    schema = VerificationSchema()
    scopes = {"post": EVIDENCE_READ}
    bodies = {"post": EvidenceDocument}
    answers = {"post": Answer(VerificationResource)}

    def post(self, request: ApiRequest) -> ApiResponse:
        """Verify a packet or an envelope

        Send the packet as GET …/evidence gives it, or its DSSE envelope. Each check says what it found; `valid` when
        none failed and a signature holds. `type`, `result`, `environment`, `promotion` and `tenantId` are what the
        document says: compare them, because a denial is valid, too. What is stored is looked up in your tenant. Stores
        nothing.
        """
        return ApiResponse(verify_here(self.body["document"], request.actor.tenant).as_json())


def _packet(packet: EvidencePacket) -> dict[str, Any]:
    return {**orjson.loads(bytes(packet.document)), "envelope": orjson.Fragment(bytes(packet.envelope))}


def _key(row: PublicSigningKey) -> dict[str, Any]:
    return {
        **public_jwk(public_key_from_pem(row.pem)),
        "pem": row.pem,
        "status": "active" if row.retired_at is None else "retired",
        "activatedAt": row.activated_at,
        "retiredAt": row.retired_at,
    }
