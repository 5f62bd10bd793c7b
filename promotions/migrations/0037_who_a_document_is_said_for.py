from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import MD5, Cast


class Migration(migrations.Migration):
    """The same bytes by the same account for other people are another document (docs/adr/0182)."""

    dependencies = [
        ("promotions", "0036_clocks_of_workers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="evidencedocument", name="evidence_document_once"),
        migrations.AddConstraint(
            model_name="evidencedocument",
            constraint=models.UniqueConstraint(
                *("tenant", "artifact_digest", "kind", "content", "uploaded_by", "signer"),
                MD5(Cast("attributed", models.TextField())),
                name="evidence_document_once",
            ),
        ),
    ]
