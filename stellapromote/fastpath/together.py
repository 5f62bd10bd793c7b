"""Several queries of Django's with one way to PostgreSQL and back (docs/adr/0188)."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models import QuerySet

from stellapromote.fastpath.prepared import Asked, Row, fetch_each


def fetch_together(*asked: QuerySet[Any, Any] | Asked) -> list[list[Any]]:
    """The list of each query set, and the rows of each statement, in the order in which they are carried out.

    Each sees the state committed when it began, as by itself: a query after a statement that locks reads the rows for
    which the lock waited. Their text is Django's, with the values in it, as Django sends them.
    """
    queries = [_Query(each) if isinstance(each, QuerySet) else each for each in asked]
    sent = [each.asked if isinstance(each, _Query) else each for each in queries]
    rows = iter(fetch_each(*(each for each in sent if each is not None)))
    answers = [[] if each is None else next(rows) for each in sent]
    return [
        query.read(answer) if isinstance(query, _Query) else answer
        for query, answer in zip(queries, answers, strict=True)
    ]


class _Query:
    """A query set, made into SQL by its compiler, which later reads the rows as if it had fetched them itself."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self._queryset = queryset.all()
        self._compiler = self._queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        self.asked: Asked | None = None
        try:
            text, values = self._compiler.as_sql()
        except EmptyResultSet:  # Django knows that nothing can be found.
            return
        database = connections[DEFAULT_DB_ALIAS]
        assert isinstance(database, DatabaseWrapper)
        database.ensure_connection()
        self.asked = database.ops.compose_sql(text, values), None

    def read(self, rows: list[Row]) -> list[Any]:
        if self.asked is None:
            return []
        self._compiler.execute_sql = lambda *_, **__: [rows]
        query: Any = self._queryset.query
        query.get_compiler = lambda *_, **__: self._compiler
        return list(self._queryset)
