from django.db import migrations


class Migration(migrations.Migration):
    """The row that names this installation; nobody changes it."""

    dependencies = [("promotions", "0003_append_only")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO promotions_installation (singleton, installation_id) VALUES (true, gen_random_uuid())",
            "DELETE FROM promotions_installation",
        )
    ]
