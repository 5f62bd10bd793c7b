"""Releases, promotions, evidence, audit and operations; each app and each group of calls has its own list."""

from django.urls import path

from promotions.api.audit import AuditEventViewSet
from promotions.api.config import ConfigApplyView, ConfigPlanView, ConfigSchemaView, ConfigView, ConfigYamlView
from promotions.api.decisions import DecisionViewSet
from promotions.api.documents import (
    DocumentUploadViewSet,
    DocumentViewSet,
    FeedViewSet,
    PromotionBundleViewSet,
    TrustedKeyViewSet,
)
from promotions.api.event_types import EventTypesView
from promotions.api.health import HealthView, ReadyView
from promotions.api.image_repositories import ImageRepositoryViewSet
from promotions.api.me import MeView
from promotions.api.member_grants import NewMemberGrantViewSet
from promotions.api.metrics import MetricsView
from promotions.api.overrides import OverrideViewSet
from promotions.api.packets import KeysView, PromotionPacketViewSet, VerifyView
from promotions.api.products import ProductViewSet
from promotions.api.promotions import PromotionViewSet
from promotions.api.releases import ReleaseViewSet
from promotions.api.reports import DeliveryReportView
from promotions.api.sign_in_settings import SignInSettingsView
from promotions.api.teams import TeamViewSet
from promotions.api.votes import VoteViewSet
from promotions.api.webhooks import DeliveryViewSet, WebhookViewSet
from stellapromote.api.routers import ApiRouter

router = ApiRouter()
router.register("products", ProductViewSet, "product")
router.register("image-repositories", ImageRepositoryViewSet, "image-repository")
router.register("releases", ReleaseViewSet, "release")
router.register("promotions", PromotionViewSet, "promotion")
router.register("promotions", VoteViewSet, "promotion-vote")
router.register("promotions", OverrideViewSet, "promotion-override")
router.register("promotions", DecisionViewSet, "promotion-decision")
router.register("promotions", PromotionPacketViewSet, "promotion-evidence")
router.register("promotions", PromotionBundleViewSet, "promotion-evidence-bundle")
router.register("evidence/documents", DocumentViewSet, "evidence-document")
router.register("evidence", DocumentUploadViewSet, "evidence-input")
router.register("feeds", FeedViewSet, "feed")
router.register("trusted-keys", TrustedKeyViewSet, "trusted-key")
router.register("members/<uuid:user_id>/grants", NewMemberGrantViewSet, "member-new-grant")
router.register("teams", TeamViewSet, "team")
router.register("webhooks", WebhookViewSet, "webhook")
router.register("webhooks/<uuid:webhook_id>/deliveries", DeliveryViewSet, "webhook-delivery")
router.register("audit-events", AuditEventViewSet, "audit-event")

# Without the prefix of a version, for stellapromote/urls.py. The contract lists the first two with it.
health = [
    path("healthz", HealthView.as_view(schema=None), name="healthz"),
    path("readyz", ReadyView.as_view(schema=None), name="readyz"),
    path("metrics", MetricsView.as_view(schema=None), name="metrics"),
]

urlpatterns = [
    *router.urls,
    path("evidence/keys", KeysView.as_view(), name="evidence-keys"),
    path("evidence/verify", VerifyView.as_view(), name="evidence-verify"),
    path("events/types", EventTypesView.as_view(), name="event-types"),
    path("sign-in-settings", SignInSettingsView.as_view(), name="sign-in-settings"),
    path("reports/delivery", DeliveryReportView.as_view(), name="report-delivery"),
    path("config", ConfigView.as_view(), name="config"),
    path("config/yaml", ConfigYamlView.as_view(), name="config-yaml"),
    path("config/schema", ConfigSchemaView.as_view(), name="config-schema"),
    path("config/plan", ConfigPlanView.as_view(), name="config-plan"),
    path("config/apply", ConfigApplyView.as_view(), name="config-apply"),
    path("me", MeView.as_view(), name="me"),
    path("healthz", HealthView.as_view(), name="api-healthz"),
    path("readyz", ReadyView.as_view(), name="api-readyz"),
]
