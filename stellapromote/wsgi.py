"""Django's WSGI application, which the front runs (rsgi.py)."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stellapromote.settings")

application = get_wsgi_application()

# What faces the network cannot connect as the owner of the tables; each request also asks one connection less.
connections.settings.pop("owner")

# What is loaded by now stays: the garbage collector need not walk over it again and again. What a request makes is
# freed when it ends; the collector, for what refers to itself, came several times within each.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
