from django.db import migrations

from stellapromote.postgresql.roles import append_only_sql

TABLES = ("policies_approvalpolicyversion", "policies_promotionpolicyversion", "policies_weakeningedit")


class Migration(migrations.Migration):
    """Versions and weakening edits are written once: no UPDATE, DELETE or TRUNCATE (domain.md §5, §9)."""

    dependencies = [("policies", "0001_tables")]

    operations = [migrations.RunSQL(*append_only_sql(table)) for table in TABLES]
