from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "stellapromote.api"
    label = "api"
    verbose_name = "API"
