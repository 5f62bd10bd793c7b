from django.db import migrations

from stellapromote.postgresql.roles import append_only_sql

TABLES = ("audit_auditevent", "audit_auditlink")


class Migration(migrations.Migration):
    """Events and links are written once: no UPDATE, DELETE or TRUNCATE, by nobody (domain.md §9)."""

    dependencies = [("audit", "0001_tables")]

    operations = [migrations.RunSQL(*append_only_sql(table)) for table in TABLES]
