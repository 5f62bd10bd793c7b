"""The pages of django-allauth that this product has: a closed list, so that nothing of it appears by surprise.

No registration, no e-mail addresses; a forgotten password has a page of our own.
"""

from allauth.account import views
from django.urls import path

from stellapromote.identity.sign_in import SecondFactorView, SignInView
from stellapromote.identity.views import second_factor
from stellapromote.identity.views.forgotten_password import forgotten_password
from stellapromote.web.access import public, tenant_not_required

urlpatterns = [
    path("accounts/login", SignInView.as_view(), name="account_login"),
    path("accounts/forgotten", forgotten_password, name="forgotten_password"),
    path("accounts/second-factor", public(SecondFactorView.as_view()), name="mfa_authenticate"),
    path("accounts/second-factor/set-up", second_factor.set_up, name="second_factor_set_up"),
    path("accounts/second-factor/recovery-codes", second_factor.renew_codes, name="second_factor_codes"),
    path("accounts/second-factor/turn-off", second_factor.turn_off, name="second_factor_turn_off"),
    path("accounts/logout", tenant_not_required(views.logout), name="account_logout"),
    path("accounts/password", tenant_not_required(views.password_change), name="account_change_password"),
    path("accounts/reauthenticate", tenant_not_required(views.reauthenticate), name="account_reauthenticate"),
    path("accounts/inactive", views.account_inactive, name="account_inactive"),
]
