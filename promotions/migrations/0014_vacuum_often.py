"""Open promotions change often and are few among many that never change again: by PostgreSQL's default a fifth of all
rows would have to die before the index of open votes is cleaned, and before new environments are in the statistics."""

from django.db import migrations

SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.002",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_analyze_scale_factor": "0.002",
    "autovacuum_analyze_threshold": "500",
}


class Migration(migrations.Migration):
    dependencies = [("promotions", "0013_outbox_mark")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE promotions_promotion SET ({', '.join(f'{name} = {value}' for name, value in SETTINGS.items())})",
            f"ALTER TABLE promotions_promotion RESET ({', '.join(SETTINGS)})",
        )
    ]
