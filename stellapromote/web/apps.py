from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "stellapromote.web"
    label = "web"
    verbose_name = "Web"
