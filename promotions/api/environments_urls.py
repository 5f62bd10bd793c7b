from promotions.api.environments import EnvironmentViewSet
from stellapromote.api.routers import ApiRouter

router = ApiRouter()
router.register("environments", EnvironmentViewSet, "environment")

urlpatterns = router.urls
