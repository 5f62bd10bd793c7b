"""Fixtures for every test. Databases: tests/database.py; a real server: tests/live_server.py."""

from tests.database import committed_database, committed_db, django_db_setup
from tests.live_server import live_server_process, live_server_url

__all__ = ["committed_database", "committed_db", "django_db_setup", "live_server_process", "live_server_url"]
