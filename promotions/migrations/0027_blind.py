from importlib import import_module

from django.db import migrations, models

from stellapromote.postgresql.roles import REFUSAL_FUNCTION

_KEPT_BEFORE = import_module("promotions.migrations.0020_promotions_and_votes_stay")._PROMOTION_KEEPS


def _keeps(*columns: str) -> str:
    """As everything that was asked for, it is never changed: a trigger's columns cannot be added to."""
    return f"""
DROP TRIGGER promotions_promotion_keeps ON promotions_promotion;
CREATE TRIGGER promotions_promotion_keeps BEFORE UPDATE OF {", ".join(columns)} ON promotions_promotion
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
"""


class Migration(migrations.Migration):
    """Whether an approval policy of the snapshot is blind. No promotion was under one until now: it was refused."""

    dependencies = [("promotions", "0026_component_patterns_hold")]

    operations = [
        migrations.AddField(
            model_name="promotion",
            name="blind",
            field=models.BooleanField(default=False, db_default=False),
        ),
        migrations.RunSQL(_keeps(*_KEPT_BEFORE, "blind"), _keeps(*_KEPT_BEFORE)),
    ]
