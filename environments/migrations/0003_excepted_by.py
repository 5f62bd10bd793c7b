from django.db import migrations, models
from django.db.models import Value

# Until now it was kept only who wrote the window.
_BY_THE_AUTHOR = """
UPDATE environments_freezewindow SET excepted_by = (
    SELECT jsonb_object_agg(excepted, CASE WHEN created_by_id IS NULL THEN '[]' ELSE jsonb_build_array(created_by_id) END)
    FROM unnest(exceptions) AS excepted)
WHERE exceptions <> '{}';
"""


class Migration(migrations.Migration):
    """Who excepted whom from a freeze: an exception by somebody excluded from a promotion does not count there."""

    dependencies = [("environments", "0002_one_tenant")]

    operations = [
        migrations.AddField(
            model_name="freezewindow",
            name="excepted_by",
            field=models.JSONField(blank=True, default=dict, db_default=Value({}, models.JSONField())),
        ),
        migrations.RunSQL(_BY_THE_AUTHOR, migrations.RunSQL.noop),
    ]
