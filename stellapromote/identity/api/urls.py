from stellapromote.api.routers import ApiRouter
from stellapromote.identity.api.invitations import InvitationViewSet
from stellapromote.identity.api.members import MemberGrantViewSet, MemberSessionViewSet, MemberViewSet
from stellapromote.identity.api.service_accounts import ServiceOwnerViewSet, ServiceViewSet
from stellapromote.identity.api.teams import TeamMemberViewSet
from stellapromote.identity.api.tokens import TokenViewSet

router = ApiRouter()
router.register("invitations", InvitationViewSet, "invitation")
router.register("members", MemberViewSet, "member")
router.register("members/<uuid:user_id>/grants", MemberGrantViewSet, "member-grant")
router.register("members/<uuid:user_id>/sessions", MemberSessionViewSet, "member-session")
router.register("services", ServiceViewSet, "service")
router.register("services/<uuid:service_id>/owners", ServiceOwnerViewSet, "service-owner")
router.register("teams/<slug:slug>/members", TeamMemberViewSet, "team-member")
router.register("tokens", TokenViewSet, "token")

urlpatterns = router.urls
