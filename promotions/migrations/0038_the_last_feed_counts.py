from django.db import migrations, models


class Migration(migrations.Migration):
    """Of each kind the feed counts that was uploaded last, and the same bytes may come again (docs/adr/0183)."""

    dependencies = [("promotions", "0037_who_a_document_is_said_for")]

    operations = [
        migrations.RemoveConstraint(model_name="feed", name="feed_once_per_tenant"),
        migrations.RemoveIndex(model_name="feed", name="feed_newest"),
        migrations.AddIndex(
            model_name="feed",
            index=models.Index(fields=["tenant", "kind", "-uploaded_at", "-id"], name="feed_last_uploaded"),
        ),
    ]
