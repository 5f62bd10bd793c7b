from importlib import import_module

from django.db import migrations, models

from stellapromote.postgresql.roles import REFUSAL_FUNCTION

_ACTS = import_module("promotions.migrations.0020_promotions_and_votes_stay")._ACTS


def _keeps(table: str, *columns: str) -> str:
    """As everything that a person stated, it is never changed: a trigger's columns cannot be added to."""
    return f"""
DROP TRIGGER {table}_keeps ON {table};
CREATE TRIGGER {table}_keeps BEFORE UPDATE OF {", ".join(columns)} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
"""


class Migration(migrations.Migration):
    """Votes and confirmations keep whether their person had proved a second factor (docs/adr/0237). Constant defaults:
    no rewrite."""

    dependencies = [("promotions", "0047_release_names_of_products")]

    operations = [
        *(
            migrations.AddField(
                model_name=name, name="second_factor", field=models.BooleanField(db_default=False, default=False)
            )
            for name in ("confirmation", "vote")
        ),
        *(
            migrations.RunSQL(_keeps(table, *kept, "second_factor"), _keeps(table, *kept))
            for table, kept in _ACTS.items()
        ),
    ]
