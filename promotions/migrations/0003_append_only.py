from django.db import migrations

from stellapromote.postgresql.roles import append_only_sql

TABLES = ("promotions_decisionrecord", "promotions_evidencepacket", "promotions_blob")


class Migration(migrations.Migration):
    """Decisions, evidence and the facts they name are written once: no UPDATE, DELETE or TRUNCATE (domain.md §7, §8)."""

    dependencies = [("promotions", "0002_requester_and_tenant")]

    operations = [migrations.RunSQL(*append_only_sql(table)) for table in TABLES]
