"""Hands that the database's own guards do not stop: a superuser with the triggers off."""

from typing import Any

import psycopg

from tests.database import CommittedDatabase
from tests.superuser import superuser


class Tampering:
    """Changes of single bytes of what is stored."""

    def __init__(self, database: CommittedDatabase) -> None:
        self.database = database

    def run(self, statement: str, values: Any = ()) -> None:
        """Raises AssertionError when the statement changed no row."""
        connection = superuser()
        with connection.transaction():
            cursor: psycopg.Cursor[Any] = connection.execute(statement, values)  # type: ignore[arg-type]
            assert cursor.rowcount > 0, statement

    def replace(self, table: str, column: str, old: str, new: str, where: str = "true", values: Any = ()) -> None:
        """In a column of bytes, at every place. Raises AssertionError when `old` is not there."""
        text = f"convert_from({column}, 'UTF8')"
        self.run(
            f"UPDATE {table} SET {column} = convert_to(replace({text}, %s, %s), 'UTF8')"
            f" WHERE position(%s IN {text}) > 0 AND {where}",
            [old, new, old, *values],
        )
