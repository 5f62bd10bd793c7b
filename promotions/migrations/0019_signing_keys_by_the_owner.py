from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE

_BY_OWNER = f"""
REVOKE INSERT, UPDATE ON promotions_publicsigningkey FROM {APP_ROLE};
REVOKE UPDATE (retired_at) ON promotions_publicsigningkey FROM {APP_ROLE};
"""
_BY_APP = f"""
GRANT INSERT ON promotions_publicsigningkey TO {APP_ROLE};
GRANT UPDATE (retired_at) ON promotions_publicsigningkey TO {APP_ROLE};
"""


class Migration(migrations.Migration):
    """Which keys are this installation's is said by the owner of the tables: by register_signing_key and
    retire_signing_key. Web and worker of the version before find their key registered."""

    dependencies = [("promotions", "0018_when_a_document_was_made")]

    operations = [migrations.RunSQL(_BY_OWNER, _BY_APP)]
