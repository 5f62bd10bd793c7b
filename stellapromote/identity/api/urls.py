from stellapromote.api.routers import ApiRouter
from stellapromote.identity.api.members import MemberGrantViewSet, MemberViewSet

router = ApiRouter()
router.register("members", MemberViewSet, "member")
router.register("members/<uuid:user_id>/grants", MemberGrantViewSet, "member-grant")

urlpatterns = router.urls
