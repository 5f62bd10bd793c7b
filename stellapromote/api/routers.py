"""URLs of viewsets: no trailing slash, UUIDs in paths, PUT and PATCH to one `update` (contract.md: both merge)."""

from rest_framework.routers import DynamicRoute, Route, SimpleRouter


class ApiRouter(SimpleRouter):
    """`register("environments", EnvironmentViewSet, "environment")`; a prefix may have converters of its own:
    `register("environments/<uuid:environment_id>/freeze-windows", …)`."""

    routes = [
        Route(
            "{prefix}{trailing_slash}", {"get": "list", "post": "create"}, "{basename}-list", False, {"suffix": "List"}
        ),
        DynamicRoute("{prefix}/{url_path}{trailing_slash}", "{basename}-{url_name}", False, {}),
        Route(
            "{prefix}/{lookup}{trailing_slash}",
            {"get": "retrieve", "put": "update", "patch": "update", "delete": "destroy"},
            "{basename}-detail",
            True,
            {"suffix": "Instance"},
        ),
        DynamicRoute("{prefix}/{lookup}/{url_path}{trailing_slash}", "{basename}-{url_name}", True, {}),
    ]

    def __init__(self) -> None:
        super().__init__(trailing_slash=False, use_regex_path=False)
