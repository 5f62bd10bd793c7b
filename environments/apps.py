from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    name = "environments"

    def ready(self) -> None:
        from environments.ordering import all_names
        from policies import references

        references.register_names(references.ENVIRONMENT, all_names)
