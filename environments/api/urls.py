from environments.api.freeze_windows import FreezeWindowViewSet
from stellapromote.api.routers import ApiRouter

router = ApiRouter()
router.register("freeze-windows", FreezeWindowViewSet, "freeze-window")
router.register("environments/<uuid:environment_id>/freeze-windows", FreezeWindowViewSet, "environment-freeze-window")

urlpatterns = router.urls
