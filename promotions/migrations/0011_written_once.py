from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION, append_only_sql

APPEND_ONLY = ("promotions_deployment", "promotions_installation")

_KEYS_RETIRE = f"""
CREATE TRIGGER promotions_publicsigningkey_only_retires BEFORE UPDATE ON promotions_publicsigningkey FOR EACH ROW
    WHEN (OLD.retired_at IS NOT NULL OR NEW.retired_at IS NULL
          OR to_jsonb(OLD) - 'retired_at' <> to_jsonb(NEW) - 'retired_at')
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER promotions_publicsigningkey_stays BEFORE DELETE OR TRUNCATE ON promotions_publicsigningkey
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON promotions_publicsigningkey FROM {APP_ROLE};
GRANT UPDATE (retired_at) ON promotions_publicsigningkey TO {APP_ROLE};
"""
_KEYS_CHANGE = f"""
GRANT UPDATE, DELETE ON promotions_publicsigningkey TO {APP_ROLE};
DROP TRIGGER promotions_publicsigningkey_stays ON promotions_publicsigningkey;
DROP TRIGGER promotions_publicsigningkey_only_retires ON promotions_publicsigningkey;
"""

# The release is read FOR SHARE: one that is being finalized at this moment is waited for, then looked at again.
_COMPONENTS_STAY = f"""
CREATE FUNCTION promotions_components_of_drafts() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    was promotions_release.status%TYPE;
BEGIN
    FOR was IN
        SELECT status FROM promotions_release
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
CREATE TRIGGER promotions_component_of_drafts BEFORE INSERT OR UPDATE OR DELETE ON promotions_component
    FOR EACH ROW EXECUTE FUNCTION promotions_components_of_drafts();
CREATE TRIGGER promotions_component_stays BEFORE TRUNCATE ON promotions_component
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER promotions_release_stays_final BEFORE UPDATE ON promotions_release FOR EACH ROW
    WHEN (OLD.status <> 'draft'
          AND (NEW.status = 'draft'
               OR (OLD.id, OLD.tenant_id, OLD.product, OLD.name, OLD.source_ref, OLD.manifest_digest, OLD.finalized_at,
                   OLD.created_by_id, OLD.created_with_token_issuer_id, OLD.contributors, OLD.created_at)
                  IS DISTINCT FROM
                  (NEW.id, NEW.tenant_id, NEW.product, NEW.name, NEW.source_ref, NEW.manifest_digest, NEW.finalized_at,
                   NEW.created_by_id, NEW.created_with_token_issuer_id, NEW.contributors, NEW.created_at)))
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
"""
_COMPONENTS_CHANGE = """
DROP TRIGGER promotions_release_stays_final ON promotions_release;
DROP TRIGGER promotions_component_stays ON promotions_component;
DROP TRIGGER promotions_component_of_drafts ON promotions_component;
DROP FUNCTION promotions_components_of_drafts();
"""


class Migration(migrations.Migration):
    """Reports and the installation's id are written once, public keys only retire, and what a release is made of stays
    from its finalization on (domain.md §3, §8): for the owner too, by trigger."""

    dependencies = [("promotions", "0010_fewer_indexes")]

    operations = [
        *(migrations.RunSQL(*append_only_sql(table)) for table in APPEND_ONLY),
        migrations.RunSQL(_KEYS_RETIRE, _KEYS_CHANGE),
        migrations.RunSQL(_COMPONENTS_STAY, _COMPONENTS_CHANGE),
    ]
