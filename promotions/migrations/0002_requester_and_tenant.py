from django.db import migrations

_SQL = """
ALTER TABLE promotions_vote ADD CONSTRAINT vote_requester_is_the_promotions
    FOREIGN KEY (promotion_id, requester_id) REFERENCES promotions_promotion (id, requested_by_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE promotions_confirmation ADD CONSTRAINT confirmation_requester_is_the_promotions
    FOREIGN KEY (promotion_id, requester_id) REFERENCES promotions_promotion (id, requested_by_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE promotions_promotion ADD CONSTRAINT promotion_target_same_tenant
    FOREIGN KEY (target_environment_id, tenant_id) REFERENCES environments_environment (id, tenant_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE promotions_promotion ADD CONSTRAINT promotion_release_same_tenant
    FOREIGN KEY (release_id, tenant_id) REFERENCES promotions_release (id, tenant_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
_REVERSE = """
ALTER TABLE promotions_promotion DROP CONSTRAINT promotion_release_same_tenant;
ALTER TABLE promotions_promotion DROP CONSTRAINT promotion_target_same_tenant;
ALTER TABLE promotions_confirmation DROP CONSTRAINT confirmation_requester_is_the_promotions;
ALTER TABLE promotions_vote DROP CONSTRAINT vote_requester_is_the_promotions;
"""


class Migration(migrations.Migration):
    """Composite keys that the ORM cannot say: a vote knows its requester, a promotion stays in its tenant."""

    dependencies = [("promotions", "0001_tables")]

    operations = [migrations.RunSQL(_SQL, _REVERSE)]
