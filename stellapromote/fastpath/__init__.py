"""Written by hand for the speed of a vote, on libpq and psycopg's parts (docs/adr/0133): `prepared` has statements that
PostgreSQL plans once, `together` sends several queries at once. Everything else asks the database through these two or
through Django."""
