from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created

from stellapromote.database.ended_connections import close_ended
from stellapromote.database.pooler import notice_pooler


class WebConfig(AppConfig):
    name = "stellapromote.web"
    label = "web"
    verbose_name = "Web"

    def ready(self) -> None:
        request_started.connect(close_ended, dispatch_uid="close_ended")
        connection_created.connect(notice_pooler, dispatch_uid="notice_pooler")
