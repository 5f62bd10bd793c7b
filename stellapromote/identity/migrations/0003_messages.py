import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import stellapromote.ids


class Migration(migrations.Migration):
    """The e-mails that the worker sends (access.md, People)."""

    dependencies = [
        ("accounts", "0013_invitations"),
        ("identity", "0002_sessions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=200)),
                (
                    "invitation",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="accounts.invitation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="message_due"),
                    models.Index(fields=["invitation", "-created_at"], name="message_of_invitation"),
                    models.Index(fields=["user", "-created_at"], name="message_to_person"),
                    models.Index(fields=["created_at"], name="message_by_age"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("invitation", None), ("user", None), _connector="OR"),
                        name="message_carries_one_link",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sent_at", None), ("due_at", None), _connector="OR"),
                        name="message_sent_once",
                    ),
                ],
            },
        ),
    ]
