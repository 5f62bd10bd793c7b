from stellapromote.accounts.models.ended_session import EndedSession
from stellapromote.accounts.models.grants import (
    Confirmable,
    Grant,
    GrantedVia,
    Membership,
    RoleGrant,
    ScopeGrant,
    TeamGrant,
)
from stellapromote.accounts.models.held_account import HeldAccount
from stellapromote.accounts.models.image_repository import ImageRepository
from stellapromote.accounts.models.invitation import Invitation
from stellapromote.accounts.models.product import OwnersEdit, Product
from stellapromote.accounts.models.service import ServiceAccount, ServiceOwner
from stellapromote.accounts.models.sign_in_settings import SignInSettings
from stellapromote.accounts.models.tenant import Team, Tenant
from stellapromote.accounts.models.token import ApiToken
from stellapromote.accounts.models.user import User

__all__ = [
    "ApiToken",
    "Confirmable",
    "EndedSession",
    "Grant",
    "GrantedVia",
    "HeldAccount",
    "ImageRepository",
    "Invitation",
    "Membership",
    "OwnersEdit",
    "Product",
    "RoleGrant",
    "ScopeGrant",
    "ServiceAccount",
    "ServiceOwner",
    "SignInSettings",
    "Team",
    "TeamGrant",
    "Tenant",
    "User",
]
