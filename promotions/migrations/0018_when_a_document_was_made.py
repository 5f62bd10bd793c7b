import base64
import hashlib
from typing import Any

import orjson
from django.db import migrations, models
from django.db.models.functions import Now

_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def note_payloads(apps: Any, schema_editor: Any) -> None:
    """Documents of before: signed ones are found by what is signed, and each knows when it first came."""
    alias = schema_editor.connection.alias
    signed = apps.get_model("promotions", "EvidenceDocument").objects.using(alias).exclude(signer="")
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE promotions_evidencedocument DISABLE TRIGGER promotions_evidencedocument_append_only;"
            "UPDATE promotions_evidencedocument SET first_uploaded_at = uploaded_at"
        )
        for document in signed.select_related("content").iterator(chunk_size=10):
            payload = orjson.loads(bytes(document.content.content))["payload"].translate(_STANDARD_ALPHABET)
            cursor.execute(
                "UPDATE promotions_evidencedocument SET payload_digest = %s WHERE id = %s",
                [f"sha256:{hashlib.sha256(base64.b64decode(payload)).hexdigest()}", document.pk],
            )
        cursor.execute(
            "UPDATE promotions_evidencedocument d SET first_uploaded_at = f.first FROM ("
            "  SELECT tenant_id, payload_digest, min(uploaded_at) AS first FROM promotions_evidencedocument"
            "  WHERE payload_digest <> '' GROUP BY tenant_id, payload_digest) f "
            "WHERE d.tenant_id = f.tenant_id AND d.payload_digest = f.payload_digest;"
            "SET CONSTRAINTS ALL IMMEDIATE;"
            "ALTER TABLE promotions_evidencedocument ENABLE TRIGGER promotions_evidencedocument_append_only"
        )


class Migration(migrations.Migration):
    """What is signed in a document, and since when it is known: an older one sent again replaces nothing."""

    dependencies = [("promotions", "0017_codes_of_policies_as_reasons")]

    operations = [
        migrations.AddField(
            "evidencedocument", "payload_digest", models.CharField(blank=True, db_default="", max_length=71)
        ),
        migrations.AddField("evidencedocument", "first_uploaded_at", models.DateTimeField(db_default=Now())),
        migrations.RunPython(note_payloads, migrations.RunPython.noop),
        migrations.AddIndex(
            "evidencedocument",
            models.Index(
                fields=["tenant", "payload_digest", "uploaded_at"],
                condition=models.Q(("payload_digest", ""), _negated=True),
                name="evidence_document_payload",
            ),
        ),
    ]
