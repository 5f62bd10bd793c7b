from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import F, Q, Value
from django.db.models.functions import Replace

ROLES = ["viewer", "operator", "approver", "auditor", "admin"]
LIMITED_ROLES = ["product_operator", "product_approver"]
_LIMITED_CHOICES = [("product_operator", "operator, limited"), ("product_approver", "approver, limited")]
LIMITED_SCOPES = [
    "environment:read",
    "evidence:read",
    "policy:read",
    "promotion:cancel",
    "promotion:deploy",
    "promotion:read",
    "promotion:request",
    "release:read",
    "release:write",
]

_ONE_LIVE = """
CREATE UNIQUE INDEX CONCURRENTLY role_grant_one_live_of_role
    ON accounts_rolegrant (tenant_id, user_id, (REPLACE(role, 'product_', '')))
    WHERE ended_at IS NULL;
"""

_CHECKS = {
    "rolegrant": [
        models.CheckConstraint(
            condition=Q(role__in=LIMITED_ROLES) & ~Q(products=[]) | Q(role__in=ROLES, products=[]),
            name="role_grant_known_role",
        )
    ],
    "invitation": [
        models.CheckConstraint(
            condition=Q(roles__contained_by=[*ROLES, *LIMITED_ROLES]) & ~Q(roles=[]), name="invitation_known_roles"
        ),
        models.CheckConstraint(
            condition=Q(roles__overlap=LIMITED_ROLES) & ~Q(products=[])
            | ~Q(roles__overlap=LIMITED_ROLES) & Q(products=[]),
            name="invitation_products_for_roles",
        ),
    ],
    "serviceaccount": [
        models.CheckConstraint(
            condition=Q(product_scopes__contained_by=LIMITED_SCOPES), name="service_product_scopes_can_be_limited"
        ),
        models.CheckConstraint(condition=~Q(products=[]) | Q(product_scopes=[]), name="service_products_for_scopes"),
    ],
}


def _names(length: int, *, blank: bool) -> "ArrayField[list[str], list[str]]":
    return ArrayField(models.CharField(max_length=length), default=list, db_default=[], blank=blank)


class Migration(migrations.Migration):
    """Role grants, services and invitations may be limited to products (domain.md §1b, docs/adr/0242). The triggers of
    grants and invitations compare whole rows, so they keep the new columns as they are. Rules keep their names, for
    which the verification of a version before looks. Nothing is rewritten, and no lock lasts longer than the change of
    the catalog."""

    atomic = False
    dependencies = [("accounts", "0018_paths_of_products")]

    operations = [
        migrations.AddField("RoleGrant", "products", _names(63, blank=True)),
        migrations.AddField("Invitation", "products", _names(63, blank=True)),
        migrations.AddField("ServiceAccount", "product_scopes", _names(40, blank=False)),
        migrations.AddField("ServiceAccount", "products", _names(63, blank=False)),
        migrations.AlterField(
            "RoleGrant",
            "role",
            models.CharField(choices=[(role, role) for role in ROLES] + _LIMITED_CHOICES, max_length=20),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_ONE_LIVE, "DROP INDEX CONCURRENTLY role_grant_one_live_of_role;"),
            ],
            state_operations=[
                migrations.AddConstraint(
                    "RoleGrant",
                    models.UniqueConstraint(
                        F("tenant"),
                        F("user"),
                        Replace("role", Value("product_"), Value("")),
                        condition=Q(ended_at=None),
                        name="role_grant_one_live_of_role",
                    ),
                )
            ],
        ),
        migrations.RemoveConstraint("RoleGrant", "role_grant_known_role"),
        migrations.RemoveConstraint("Invitation", "invitation_known_roles"),
        *(AddConstraintNotValid(model, each) for model, checks in _CHECKS.items() for each in checks),
        *(ValidateConstraint(model, each.name) for model, checks in _CHECKS.items() for each in checks),
    ]
