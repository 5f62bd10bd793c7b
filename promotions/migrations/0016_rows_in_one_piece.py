"""PostgreSQL compresses rows beyond 2 KB and moves their parts to another table: that was a tenth of what a final vote
cost it. A decision record or packet of usual size fits into one page as it is; larger ones are treated as before."""

from django.db import migrations

TABLES = ("promotions_decisionrecord", "promotions_evidencepacket")


class Migration(migrations.Migration):
    dependencies = [("promotions", "0015_analyze_less")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET (toast_tuple_target = 8160)", f"ALTER TABLE {table} RESET (toast_tuple_target)"
        )
        for table in TABLES
    ]
