from django.urls import path

from promotions.api.gate_kinds import GateKindsView
from promotions.api.policies import ApprovalPolicyViewSet
from stellapromote.api.routers import ApiRouter

router = ApiRouter()
router.register("approval-policies", ApprovalPolicyViewSet, "approval-policy")

urlpatterns = [*router.urls, path("promotion-gates", GateKindsView.as_view(), name="promotion-gate-list")]
