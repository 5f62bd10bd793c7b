"""Checks of the installation beside its tenants: the rules of the database, the signing keys, and the list of
tenants."""

from typing import Final

from promotions.verification.database import check_database
from promotions.verification.keys import check_signing_keys
from promotions.verification.mismatch import Mismatch, MismatchKind, run_check
from promotions.verification.tenants import check_tenants

OF_INSTALLATION: Final = (
    MismatchKind.SETTING_CHANGED,
    MismatchKind.KEY_CHANGED,
    MismatchKind.TENANT_MISSING,
    MismatchKind.DATABASE_CHANGED,
    MismatchKind.NOT_VERIFIED,
)


def check_installation() -> list[Mismatch]:
    """Everything of it that is not as it was recorded."""
    return [
        *run_check("database", check_database),
        *run_check("signing keys", check_signing_keys),
        *run_check("tenants", check_tenants),
    ]
