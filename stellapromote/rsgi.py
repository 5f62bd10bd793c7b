"""The application that granian serves: the front, with Django's WSGI application behind it (docs/adr/0168)."""

from functools import partial

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from promotions.formats.reading import MOST_BODY
from stellapromote.front import Front
from stellapromote.front.counts import RequestCounts
from stellapromote.front.starting import end_when_asked, refuse_start
from stellapromote.identity.password_paths import PASSWORD_PATHS
from stellapromote.web.client_address import client_of

end_when_asked()
try:
    from stellapromote.wsgi import application as django
except ImproperlyConfigured as error:
    refuse_start(str(error))


counts = RequestCounts()


def start() -> None:
    from promotions.models import ProcessHeartbeat  # both need Django, which is set up by now
    from promotions.worker.heartbeats import keep_beating

    keep_beating(ProcessHeartbeat.Role.WEB, counts=counts)


application = Front(
    django,
    threads=settings.WEB_THREADS,
    most_body=MOST_BODY,
    passwords=PASSWORD_PATHS,
    client_of=partial(client_of, settings.TRUSTED_PROXIES),
    counts=counts,
    on_start=start,
)
