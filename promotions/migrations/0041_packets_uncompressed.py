"""A packet of usual size no longer fits into one page since it says more of its decision, so PostgreSQL compressed it: a
fifth of the statement that stores a final vote. Its envelope is kept beside the table instead, as it is. Only the catalog
changes: what is stored already stays as it is."""

from django.db import migrations


def _storage(kind: str) -> str:
    columns = ", ".join(f"ALTER COLUMN {name} SET STORAGE {kind}" for name in ("document", "envelope"))
    return f"ALTER TABLE promotions_evidencepacket {columns}"


class Migration(migrations.Migration):
    dependencies = [("promotions", "0040_steps_that_fail")]

    operations = [migrations.RunSQL(_storage("EXTERNAL"), _storage("EXTENDED"))]
