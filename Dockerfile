# Two stages: packages and static files are made in the first, the second holds what runs. See docs/production.md.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m venv /venv && /venv/bin/pip install --require-hashes --no-deps --requirement requirements/base.txt
COPY . .
# Settings want a database and a key to be named; collecting files uses neither.
RUN DATABASE_URL=postgresql://nobody@localhost/nothing SECRET_KEY=only-for-collecting-static-files-in-this-stage \
    STATIC_ROOT=/static /venv/bin/python manage.py collectstatic --noinput --verbosity 0

FROM python:3.13-slim
RUN useradd --uid 10001 --shell /usr/sbin/nologin --home-dir /data --create-home stellapromote
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STELLAPROMOTE_DATA=/data STATIC_ROOT=/static
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /static /static
COPY --from=build /app /app
USER stellapromote
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# The same options as scripts/web_command.py. GRANIAN_WORKERS changes their number, WEB_THREADS that of their threads.
ENV GRANIAN_WORKERS=2
CMD ["granian", "--interface=rsgi", "--http=1", "--http1-header-read-timeout=5000", "--backlog=4096", \
     "--backpressure=2048", "--host=0.0.0.0", "--port=8000", "--respawn-failed-workers", "--respawn-interval=0.5", \
     "--workers-kill-timeout=15", "--no-ws", "--log-level=warning", "stellapromote.rsgi:application"]
