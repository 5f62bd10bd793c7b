"""What belongs to the installation and to no tenant: the rules of the database, the keys that sign for every
tenant, and the tenants."""

from typing import Final

from promotions.verification.database import check_database
from promotions.verification.keys import check_signing_keys
from promotions.verification.mismatch import Mismatch, MismatchKind, carried_out
from promotions.verification.tenants import check_tenants

OF_INSTALLATION: Final = (
    MismatchKind.KEY_CHANGED,
    MismatchKind.TENANT_MISSING,
    MismatchKind.DATABASE_CHANGED,
    MismatchKind.NOT_VERIFIED,
)


def check_installation() -> list[Mismatch]:
    """Everything of it that is not as it was recorded."""
    return [
        *carried_out("database", check_database),
        *carried_out("signing keys", check_signing_keys),
        *carried_out("tenants", check_tenants),
    ]
