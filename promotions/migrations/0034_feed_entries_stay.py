from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_STAY = f"""
CREATE TRIGGER promotions_feedentry_never_changes BEFORE UPDATE ON promotions_feedentry
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE ON promotions_feedentry FROM {APP_ROLE};
"""
_CHANGE = f"""
GRANT UPDATE ON promotions_feedentry TO {APP_ROLE};
DROP TRIGGER promotions_feedentry_never_changes ON promotions_feedentry;
"""


class Migration(migrations.Migration):
    """What a feed says of a CVE is exchanged with the feed and never edited (domain.md §9)."""

    dependencies = [("promotions", "0033_evidence_findings")]

    operations = [migrations.RunSQL(_STAY, _CHANGE)]
