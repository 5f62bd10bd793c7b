"""The reason of a reject may be a code of a team's own policy, which has up to 63 characters. The type only gets longer,
so that PostgreSQL rewrites neither table nor indexes, and the code before it reads and writes it as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("promotions", "0016_rows_in_one_piece")]

    operations = [
        migrations.AlterField(
            model_name="promotion",
            name="status_reason",
            field=models.CharField(blank=True, max_length=63),
        ),
        migrations.RunSQL(
            migrations.RunSQL.noop,
            "UPDATE promotions_promotion SET status_reason = left(status_reason, 40) WHERE length(status_reason) > 40",
        ),
    ]
