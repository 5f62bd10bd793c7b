from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "stellapromote.identity"
    label = "identity"
    verbose_name = "Identity"
