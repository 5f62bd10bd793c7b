from django.urls import path

from promotions.views import environments

urlpatterns = [
    path("environments", environments.environments, name="environments"),
    path("environments/new", environments.new_environment, name="new_environment"),
    path("environments/<uuid:environment_id>", environments.environment, name="environment"),
    path("environments/<uuid:environment_id>/edit", environments.edit_environment, name="edit_environment"),
    path("environments/<uuid:environment_id>/move", environments.move_environment, name="move_environment"),
    path("environments/<uuid:environment_id>/archive", environments.archive, name="archive_environment"),
    path("environments/<uuid:environment_id>/unarchive", environments.unarchive, name="unarchive_environment"),
    path("environments/<uuid:environment_id>/delete", environments.delete, name="delete_environment"),
]
