from django.db import migrations

_FIXED = " SET search_path = pg_catalog, pg_temp"


def _functions(schema: str, search_path: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION public.promotions_components_of_drafts() RETURNS trigger
LANGUAGE plpgsql{search_path} AS $body$
DECLARE
    was {schema}promotions_release.status%TYPE;
BEGIN
    FOR was IN
        SELECT status FROM {schema}promotions_release
        WHERE (TG_OP <> 'INSERT' AND id = OLD.release_id) OR (TG_OP <> 'DELETE' AND id = NEW.release_id)
        ORDER BY id FOR SHARE
    LOOP
        IF was <> 'draft' THEN
            RAISE EXCEPTION 'Components of a release change only in draft: this one is %.', was
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$body$;
CREATE OR REPLACE FUNCTION public.promotions_changed_meanwhile() RETURNS void
LANGUAGE plpgsql{search_path} AS $body$
BEGIN
    RAISE EXCEPTION 'The row changed after it was read.' USING ERRCODE = 'serialization_failure';
END
$body$;
"""


class Migration(migrations.Migration):
    """A session's own table does not stand for a release whose components stay (domain.md §3, §9).

    `pg_temp` stands last in the path: where it is not named, it comes first.
    """

    dependencies = [("promotions", "0031_reject_ends_further_attempts")]

    operations = [migrations.RunSQL(_functions("public.", _FIXED), _functions("", ""))]
