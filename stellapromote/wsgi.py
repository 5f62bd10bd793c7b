"""Django's WSGI application, which the front runs (rsgi.py)."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stellapromote.settings")

application = get_wsgi_application()

# A process that faces the network cannot connect as the owner of the tables; each request also asks one connection
# less.
connections.settings.pop("owner")

# The objects loaded by now stay: the garbage collector need not walk over them again and again. The objects of a
# request are freed when it ends; the collector, for cycles, came several times within each.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
