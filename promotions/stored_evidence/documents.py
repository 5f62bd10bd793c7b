"""Whether contents have the digests under which they are kept. PostgreSQL makes the digests: no content is sent."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db import connection

from promotions.stored_evidence.mismatch import Mismatch, What

PAGE: Final = 100
MOST_REMEMBERED: Final = 50_000

_FITTING = """
SELECT digest FROM promotions_blob WHERE digest = ANY(%s) AND digest = 'sha256:' || encode(sha256(content), 'hex')
"""
_FITTING_POLICIES = """
SELECT digest FROM (
  SELECT tenant_id, digest, canonical FROM policies_promotionpolicyversion
  UNION ALL SELECT tenant_id, digest, canonical FROM policies_approvalpolicyversion) version
WHERE tenant_id = %s AND digest = ANY(%s) AND digest = 'sha256:' || encode(sha256(canonical), 'hex')
"""
# What a tenant keeps, by the id of the row that names it: contents by digest.
_KEPT: Final = {
    "document": """SELECT d.id, unnest(ARRAY[d.digest, d.parsed_digest]) FROM (
        SELECT id, digest, parsed_digest FROM promotions_evidencedocument
        WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s) d ORDER BY 1""",
    "reading": """SELECT r.id, r.parsed_digest FROM promotions_documentreading r
        JOIN promotions_evidencedocument d ON d.id = r.document_id
        WHERE d.tenant_id = %s AND r.parsed_digest IS NOT NULL AND r.id > %s ORDER BY r.id LIMIT %s""",
    "bundle": """SELECT id, digest FROM promotions_evidencebundle
        WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s""",
    "feed": "SELECT id, digest FROM promotions_feed WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s",
}
_VERSIONS: Final = {
    "promotion policy": "policies_promotionpolicyversion",
    "approval policy": "policies_approvalpolicyversion",
}
_UNFIT_VERSIONS: Final = """
SELECT id, digest FROM {table}
WHERE tenant_id = %s AND digest <> 'sha256:' || encode(sha256(canonical), 'hex') ORDER BY id
"""
KINDS: Final = tuple(_KEPT)


class Fitting:
    """Digests whose contents were found to fit, the last 50,000, so that what many promotions name is read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UUID | None, str], None] = OrderedDict()

    def unfit(self, digests: Collection[str]) -> set[str]:
        """Those under which nothing is stored, or something else. One statement for what is not known yet."""
        return self._without(digests, _FITTING, None)

    def unfit_policies(self, tenant_id: UUID, digests: Collection[str]) -> set[str]:
        """Those of which the tenant has no version of a policy."""
        return self._without(digests, _FITTING_POLICIES, tenant_id)

    def _without(self, digests: Collection[str], statement: str, tenant_id: UUID | None) -> set[str]:
        asked = {digest for digest in digests if (tenant_id, digest) not in self._known}
        if not asked:
            return set()
        values: list[Any] = [sorted(asked)] if tenant_id is None else [tenant_id, sorted(asked)]
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            fits = {digest for (digest,) in cursor.fetchall()}
        self._known.update(dict.fromkeys((tenant_id, digest) for digest in fits))
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return asked - fits


def check_policies(tenant_id: UUID) -> list[Mismatch]:
    """The versions of the tenant's policies whose texts do not have their digests. Two statements."""
    return [
        Mismatch(What.POLICY_CHANGED, f"{kind} version {row}", f"Its text should have the digest {digest}.")
        for kind, table in _VERSIONS.items()
        for row, digest in _rows(_UNFIT_VERSIONS.format(table=table), [tenant_id])
    ]


def check_documents(
    tenant_id: UUID, kind: str, after: UUID, fitting: Fitting, most: int = PAGE
) -> tuple[UUID | None, list[Mismatch]]:
    """What does not fit of the next rows of this kind, and the last of them; None: there are no more."""
    rows = _rows(_KEPT[kind], [tenant_id, after, most])
    if not rows:
        return None, []
    unfit = fitting.unfit({digest for _, digest in rows})
    found = [
        Mismatch(What.DOCUMENT_CHANGED, f"{kind} {row}, {digest}", "What is stored does not have this digest.")
        for row, digest in rows
        if digest in unfit
    ]
    return rows[-1][0], found


def _rows(statement: str, values: list[Any]) -> list[tuple[UUID, str]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[UUID, str]] = cursor.fetchall()
        return rows
