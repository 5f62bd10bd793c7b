import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE

_STAYS = f"REVOKE DELETE, TRUNCATE ON accounts_signinsettings FROM {APP_ROLE};"
_REVERSE = f"GRANT DELETE ON accounts_signinsettings TO {APP_ROLE};"


class Migration(migrations.Migration):
    """A tenant may require a second factor of people who decide (docs/adr/0237)."""

    dependencies = [
        ("accounts", "0015_second_factor_of_accounts"),
    ]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="second_factor",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="SignInSettings",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("second_factor_from", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sign_in_settings",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "sign-in settings",
                "verbose_name_plural": "sign-in settings",
            },
        ),
        migrations.RunSQL(_STAYS, _REVERSE),
    ]
