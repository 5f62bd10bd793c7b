from policies.api.promotion_policies import PromotionPolicyViewSet
from stellapromote.api.routers import ApiRouter

router = ApiRouter()
router.register("promotion-policies", PromotionPolicyViewSet, "promotion-policy")

urlpatterns = router.urls
