from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from stellapromote.postgresql.roles import append_only_sql

TABLES = ("promotions_documentreading", "promotions_bundlereading", "promotions_feedreading")


class Migration(migrations.Migration):
    """What was read is written once; the documents that are there have a known kind (a scan that locks nobody out)."""

    dependencies = [("promotions", "0029_reader_versions")]

    operations = [
        *(migrations.RunSQL(*append_only_sql(table)) for table in TABLES),
        ValidateConstraint(model_name="evidencedocument", name="evidence_document_kind"),
    ]
