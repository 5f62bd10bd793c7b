from django.db import migrations, models

# What an older version dated by the clock of a process that was ahead: nothing would be decided until the database's
# clock is there (docs/adr/0173). These are marks of the last write; what was written, and when, the audit log says.
_AHEAD = """
UPDATE environments_environment SET updated_at = date_trunc('milliseconds', clock_timestamp())
  WHERE updated_at > clock_timestamp();
UPDATE environments_freezewindow SET changed_at = date_trunc('milliseconds', clock_timestamp())
  WHERE changed_at > clock_timestamp();
"""
_FROM_ITS_ROWS = """
UPDATE environments_calendar c SET changed_at = greatest(
  (SELECT max(e.updated_at) FROM environments_environment e WHERE e.tenant_id = c.tenant_id),
  (SELECT max(f.changed_at) FROM environments_freezewindow f WHERE f.tenant_id = c.tenant_id))
"""


class Migration(migrations.Migration):
    """When a tenant's calendar was written last; nothing there is dated ahead of the database (domain.md §0)."""

    dependencies = [("environments", "0005_protected")]

    operations = [
        migrations.AddField("calendar", "changed_at", models.DateTimeField(null=True)),
        migrations.RunSQL(_AHEAD, migrations.RunSQL.noop),
        migrations.RunSQL(_FROM_ITS_ROWS, migrations.RunSQL.noop),
    ]
