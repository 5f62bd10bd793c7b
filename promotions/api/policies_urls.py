from django.urls import path

from promotions.api.gate_kinds import GateKindsView
from promotions.api.policies import ApprovalPolicyViewSet
from promotions.api.proposals import ProposalViewSet
from promotions.api.simulation import SimulationViewSet
from stellapromote.api.routers import ApiRouter

router = ApiRouter()
router.register("approval-policies", ApprovalPolicyViewSet, "approval-policy")
router.register("proposals", ProposalViewSet, "proposal")
router.register("promotion-policies", SimulationViewSet, "promotion-policy-simulation")

urlpatterns = [*router.urls, path("promotion-gates", GateKindsView.as_view(), name="promotion-gate-list")]
