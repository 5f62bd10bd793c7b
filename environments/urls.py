from django.urls import path

from environments.views import freezes

urlpatterns = [
    path("environments/stop-the-line", freezes.stop_the_line, name="stop_the_line"),
    path("environments/<uuid:environment_id>/freeze", freezes.freeze, name="freeze_environment"),
    path("freezes/<uuid:window_id>/edit", freezes.edit_freeze, name="edit_freeze"),
    path("freezes/<uuid:window_id>/lift", freezes.lift_freeze, name="lift_freeze"),
]
