from django.db import migrations

from stellapromote.postgresql.roles import REFUSAL_FUNCTION


class Migration(migrations.Migration):
    """What a function of ours refers to is never looked up where a session says (domain.md §9)."""

    dependencies = [("accounts", "0007_vouched_for_grants")]

    operations = [
        migrations.RunSQL(
            f"ALTER FUNCTION public.{REFUSAL_FUNCTION}() SET search_path = pg_catalog, pg_temp;",
            f"ALTER FUNCTION public.{REFUSAL_FUNCTION}() RESET search_path;",
        )
    ]
