from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "stellapromote.audit"
    label = "audit"
    verbose_name = "Audit"
