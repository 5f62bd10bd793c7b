from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_PROMOTION_KEEPS = (
    "id",
    "tenant_id",
    "number",
    "release_id",
    "product",
    "source_environment_id",
    "target_environment_id",
    "is_rollback",
    "requested_by_id",
    "requested_by_username",
    "requested_by_name",
    "requested_with_token",
    "requested_at",
    "triggered_by_id",
    "reason",
    "change",
    "manifest_digest",
    "requirements",
    "requirements_digest",
    "excluded_persons",
    "requesting_persons",
    "pending_expires_at",
    "approval_ttl_seconds",
    "supersedes_older",
)
_ACT_KEEPS = (
    "id",
    "tenant_id",
    "promotion_id",
    "requester_id",
    "voter_id",
    "username",
    "display_name",
    "roles",
    "teams",
    "auth_method",
    "token_id",
    "token_issuer_id",
    "address",
    "comment",
    "subject_digest",
    "subject_binding",
    "at",
)
_ACTS = {
    "promotions_vote": (*_ACT_KEEPS, "verdict"),
    "promotions_confirmation": (*_ACT_KEEPS, "gate"),
}
_END = "ended_at, ended_as, ended_reason"


def _stays(table: str, kept: tuple[str, ...]) -> tuple[str, str]:
    """A statement that names a kept column is refused; one that does not costs nothing, not even a call for each row."""
    forward = f"""
CREATE TRIGGER {table}_keeps BEFORE UPDATE OF {", ".join(kept)} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE DELETE, TRUNCATE ON {table} FROM {APP_ROLE};
"""
    reverse = f"""
GRANT DELETE ON {table} TO {APP_ROLE};
DROP TRIGGER {table}_stays ON {table};
DROP TRIGGER {table}_keeps ON {table};
"""
    return forward, reverse


def _ends_once(table: str) -> tuple[str, str]:
    forward = f"""
CREATE TRIGGER {table}_ends_once BEFORE UPDATE OF {_END} ON {table} FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL)
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE ON {table} FROM {APP_ROLE};
GRANT UPDATE ({_END}) ON {table} TO {APP_ROLE};
"""
    reverse = f"""
GRANT UPDATE ON {table} TO {APP_ROLE};
DROP TRIGGER {table}_ends_once ON {table};
"""
    return forward, reverse


class Migration(migrations.Migration):
    """What was asked for, and what people stated about it, is never changed or removed; a vote or a confirmation ends,
    once (domain.md §4, §5). For the owner too, by trigger."""

    dependencies = [("promotions", "0019_signing_keys_by_the_owner")]

    operations = [
        migrations.RunSQL(*_stays("promotions_promotion", _PROMOTION_KEEPS)),
        *(migrations.RunSQL(*_stays(table, kept)) for table, kept in _ACTS.items()),
        *(migrations.RunSQL(*_ends_once(table)) for table in _ACTS),
    ]
