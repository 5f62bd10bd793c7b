import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import stellapromote.ids


class Migration(migrations.Migration):
    """Which version of the readers read each document, bundle and feed, and what newer versions read in them
    (domain.md §6). New columns have constant defaults and the widened constraint is not checked here: no row is read or
    written, whatever the number of documents."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("promotions", "0028_same_tenant"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BundleReading",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reader", models.SmallIntegerField()),
                ("read_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="DocumentReading",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reader", models.SmallIntegerField()),
                ("summary", models.JSONField()),
                ("generated_at", models.DateTimeField(null=True)),
                ("about", models.CharField(blank=True, max_length=71)),
                ("binds", models.BooleanField()),
                ("refused", models.CharField(blank=True, max_length=1000)),
                ("read_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="FeedReading",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reader", models.SmallIntegerField()),
                ("entry_count", models.IntegerField()),
                ("refused", models.CharField(blank=True, max_length=1000)),
                ("read_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="evidencedocument",
            name="evidence_document_kind",
        ),
        migrations.AddField(
            model_name="evidencebundle",
            name="reader",
            field=models.SmallIntegerField(db_default=1),
        ),
        migrations.AddField(
            model_name="evidencedocument",
            name="about",
            field=models.CharField(blank=True, db_default="", max_length=71),
        ),
        migrations.AddField(
            model_name="evidencedocument",
            name="scope",
            field=models.CharField(blank=True, db_default="", max_length=71),
        ),
        migrations.AddField(
            model_name="evidencedocument",
            name="reader",
            field=models.SmallIntegerField(db_default=1),
        ),
        migrations.AddField(
            model_name="feed",
            name="reader",
            field=models.SmallIntegerField(db_default=1),
        ),
        migrations.AlterField(
            model_name="evidencedocument",
            name="kind",
            field=models.CharField(
                choices=[
                    ("sbom", "SBOM"),
                    ("vulnerabilities", "Vulnerability report"),
                    ("vex", "VEX"),
                    ("attestation", "Attestation"),
                    ("index", "Image index"),
                ],
                max_length=15,
            ),
        ),
        AddConstraintNotValid(
            model_name="evidencedocument",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["sbom", "vulnerabilities", "vex", "attestation", "index"])),
                name="evidence_document_kind",
            ),
        ),
        migrations.AddField(
            model_name="bundlereading",
            name="bundle",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="readings",
                to="promotions.evidencebundle",
            ),
        ),
        migrations.AddField(
            model_name="bundlereading",
            name="read_as",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="promotions.evidencebundle",
            ),
        ),
        migrations.AddField(
            model_name="documentreading",
            name="document",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="readings",
                to="promotions.evidencedocument",
            ),
        ),
        migrations.AddField(
            model_name="documentreading",
            name="parsed",
            field=models.ForeignKey(
                db_column="parsed_digest",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="promotions.blob",
            ),
        ),
        migrations.AddField(
            model_name="feedreading",
            name="feed",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="readings",
                to="promotions.feed",
            ),
        ),
        migrations.AddConstraint(
            model_name="bundlereading",
            constraint=models.UniqueConstraint(fields=("bundle", "reader"), name="bundle_reading_once"),
        ),
        migrations.AddConstraint(
            model_name="documentreading",
            constraint=models.UniqueConstraint(fields=("document", "reader"), name="document_reading_once"),
        ),
        migrations.AddConstraint(
            model_name="documentreading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("parsed__isnull", False), ("refused", "")),
                    models.Q(models.Q(("refused", ""), _negated=True), ("parsed", None)),
                    _connector="OR",
                ),
                name="document_reading_read_or_refused",
            ),
        ),
        migrations.AddConstraint(
            model_name="feedreading",
            constraint=models.UniqueConstraint(fields=("feed", "reader"), name="feed_reading_once"),
        ),
    ]
