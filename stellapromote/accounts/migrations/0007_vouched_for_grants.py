from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

CONFIRMABLE = {"rolegrant": "role_grant", "teamgrant": "team_grant", "scopegrant": "scope_grant"}
MEMBER_GRANTS = {"membership": "membership", **CONFIRMABLE}

_ENDS = "OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL AND {}"
_ONLY_ENDS = _ENDS.format(
    "to_jsonb(OLD) - '{ended_at,ended_by_id}'::text[] = to_jsonb(NEW) - '{ended_at,ended_by_id}'::text[]"
)
_CONFIRMATION = "'{confirmed_at,confirmed_by_id,confirmed_under_id}'::text[]"
_ONLY_CONFIRMS = f"""OLD.ended_at IS NULL AND OLD.confirmed_at IS NULL AND NEW.confirmed_at IS NOT NULL
    AND to_jsonb(OLD) - {_CONFIRMATION} = to_jsonb(NEW) - {_CONFIRMATION}"""


def _fill(table: str) -> str:
    """The granter's role of that time, where there was one; existing rows only end, so the trigger goes first."""
    filled = f"""
DROP TRIGGER {table}_only_ends ON {table};
UPDATE {table} SET granted_via = CASE WHEN granted_by_id IS NULL THEN 'command' ELSE 'page' END;
"""
    if table == "accounts_membership":
        return filled
    return f"""{filled}
UPDATE {table} g SET granted_under_id = (
    SELECT a.id FROM accounts_rolegrant a
    WHERE a.tenant_id = g.tenant_id AND a.user_id = g.granted_by_id AND a.role = 'admin'
      AND a.granted_at <= g.granted_at AND (a.ended_at IS NULL OR a.ended_at >= g.granted_at)
    ORDER BY a.granted_at DESC LIMIT 1)
WHERE g.granted_by_id IS NOT NULL;
"""


def _only_ends(table: str) -> str:
    return f"""
CREATE TRIGGER {table}_only_ends BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
          OR to_jsonb(OLD) - 'ended_at' - 'ended_by_id' <> to_jsonb(NEW) - 'ended_at' - 'ended_by_id')
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
"""


def _only_ends_or_confirms(model: str) -> tuple[str, str]:
    table = f"accounts_{model}"
    forward = f"""
CREATE TRIGGER {table}_only_ends BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (({_ONLY_ENDS}) IS NOT TRUE AND ({_ONLY_CONFIRMS}) IS NOT TRUE)
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
GRANT UPDATE (confirmed_at, confirmed_by_id, confirmed_under_id) ON {table} TO {APP_ROLE};
ALTER TABLE {table} ADD CONSTRAINT {CONFIRMABLE[model]}_confirmed_by_nobody_behind
    CHECK (confirmed_by_id IS NULL OR NOT confirmed_by_id = ANY(granted_behind));
"""
    reverse = f"""
ALTER TABLE {table} DROP CONSTRAINT {CONFIRMABLE[model]}_confirmed_by_nobody_behind;
REVOKE UPDATE (confirmed_at, confirmed_by_id, confirmed_under_id) ON {table} FROM {APP_ROLE};
DROP TRIGGER {table}_only_ends ON {table};
"""
    return forward, reverse


def _key(to: str) -> models.ForeignKey:
    return models.ForeignKey(to, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)


def _constraints(name: str) -> list[models.CheckConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(confirmed_by=None, confirmed_under=None)
            | (
                Q(confirmed_at__isnull=False, confirmed_under__isnull=False, granted_by__isnull=False)
                & ~Q(confirmed_by=F("user"))
                & ~Q(confirmed_by=F("granted_by"))
            ),
            name=f"{name}_confirmed_by_another",
        ),
        models.CheckConstraint(
            condition=Q(confirmed_at=None) | Q(confirmed_at__gte=F("granted_at"), granted_via="page"),
            name=f"{name}_confirmed_after_start",
        ),
    ]


class Migration(migrations.Migration):
    """Where a grant was made, under which role of the granter, and who vouched for it (domain.md §5).

    What there is was made on the command line where it names no granter, else on a page. The database keeps by itself
    that a grant is confirmed once, while it is live, and by nobody who gave it or has it.
    """

    dependencies = [("accounts", "0006_granted_behind")]

    operations = [
        *(
            migrations.AddField(
                model,
                "granted_via",
                models.CharField(
                    choices=[("command", "Command"), ("page", "Page"), ("directory", "Directory")],
                    max_length=9,
                    default="page",
                ),
                preserve_default=False,
            )
            for model in MEMBER_GRANTS
        ),
        *(migrations.AddField(model, "granted_under", _key("accounts.rolegrant")) for model in CONFIRMABLE),
        *(
            migrations.AddField(model, "confirmed_at", models.DateTimeField(null=True, blank=True))
            for model in CONFIRMABLE
        ),
        *(migrations.AddField(model, "confirmed_by", _key(settings.AUTH_USER_MODEL)) for model in CONFIRMABLE),
        *(migrations.AddField(model, "confirmed_under", _key("accounts.rolegrant")) for model in CONFIRMABLE),
        *(migrations.RunSQL(_fill(f"accounts_{model}"), _only_ends(f"accounts_{model}")) for model in MEMBER_GRANTS),
        # Foreign keys of the rows just written are checked now: their triggers stand in the way of ALTER TABLE.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;", migrations.RunSQL.noop),
        migrations.RunSQL(
            _only_ends("accounts_membership"), "DROP TRIGGER accounts_membership_only_ends ON accounts_membership;"
        ),
        *(migrations.RunSQL(*_only_ends_or_confirms(model)) for model in CONFIRMABLE),
        *(
            migrations.AddIndex(
                model,
                models.Index(fields=["tenant"], condition=Q(confirmed_under__isnull=False), name=f"{name}_confirmed"),
            )
            for model, name in CONFIRMABLE.items()
        ),
        *(
            migrations.AddConstraint(
                model,
                models.CheckConstraint(
                    condition=Q(granted_via="page", granted_by__isnull=False)
                    | Q(granted_via__in=["command", "directory"], granted_by=None),
                    name=f"{name}_granted_via",
                ),
            )
            for model, name in MEMBER_GRANTS.items()
        ),
        *(
            migrations.AddConstraint(model, constraint)
            for model, name in CONFIRMABLE.items()
            for constraint in _constraints(name)
        ),
    ]
