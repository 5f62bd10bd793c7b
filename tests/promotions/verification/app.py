"""Who has the database's login of the web and the worker, and writes rows beside the product."""

from typing import Any

import psycopg

from promotions.formats.document import READER
from promotions.models import EvidenceDocument
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel


class App:
    """Who has the login of the web and the worker."""

    def __init__(self, database: CommittedDatabase) -> None:
        self.database = database

    def run(self, statement: str, values: Any = ()) -> None:
        with self.database.as_app() as connection:
            cursor: psycopg.Cursor[Any] = connection.execute(statement, values)  # type: ignore[arg-type]
            assert cursor.rowcount > 0, statement

    def stores(self, content: Any) -> str:
        """A blob, and its digest."""
        written = canonical_bytes(content)
        digest = digest_bytes(written)
        self.run("INSERT INTO promotions_blob (digest, content) VALUES (%s, %s)", [digest, written])
        return digest

    def bundles(self, kestrel: Kestrel, content: Any, *, reader: int = READER) -> str:
        digest = self.stores(content)
        self.run(
            "INSERT INTO promotions_evidencebundle (id, taken_at, digest, tenant_id, reader)"
            " VALUES (gen_random_uuid(), now(), %s, %s, %s)",
            [digest, kestrel.tenant.pk, reader],
        )
        return digest

    def reads_as(self, before: str, after: str) -> None:
        self.run(
            "INSERT INTO promotions_bundlereading (id, reader, read_at, bundle_id, read_as_id)"
            " SELECT gen_random_uuid(), %s, now(), b.id, a.id FROM promotions_evidencebundle b,"
            " promotions_evidencebundle a WHERE b.digest = %s AND a.digest = %s",
            [READER, before, after],
        )

    def reads(self, document: EvidenceDocument, parsed: str | None, *, about: str = "", refused: str = "") -> None:
        self.run(
            "INSERT INTO promotions_documentreading (id, reader, summary, generated_at, about, binds, refused, read_at,"
            " document_id, parsed_digest) SELECT gen_random_uuid(), %s, summary, generated_at, %s, %s, %s, now(), id,"
            " %s FROM promotions_evidencedocument WHERE id = %s",
            [READER, about, not refused, refused, parsed, document.pk],
        )
