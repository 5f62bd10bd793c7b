from django.db import migrations, models


class Migration(migrations.Migration):
    """An environment says whether it is on the path of every product (domain.md §1b, docs/adr/0240).

    No row says so yet, and then the environment directly before each production one is. An edit of a path stands
    beside those of settings, with its product.
    """

    dependencies = [("environments", "0009_product_guards")]

    operations = [
        migrations.AddField("environment", "required_on_every_path", models.BooleanField(blank=True, null=True)),
        migrations.AddField(
            "environmentedit", "product", models.CharField(blank=True, db_default="", default="", max_length=63)
        ),
    ]
