"""The /settings pages, and the page that a new person's one-time link leads to."""

from django.urls import path

from stellapromote.identity.views import invitations, members, profile, service_accounts, teams, tokens
from stellapromote.identity.views.first_password import first_password

urlpatterns = [
    path("welcome/invitation/<str:secret>", invitations.invitation, name="invitation"),
    path("welcome/<str:person>/<str:token>", first_password, name="first_password"),
    path("settings", profile.profile, name="settings"),
    path("settings/name", profile.rename, name="settings_name"),
    path("settings/time-zone", profile.change_zone, name="settings_time_zone"),
    path("settings/sessions/end-others", profile.end_other_sessions, name="settings_end_other_sessions"),
    path("settings/sessions/<uuid:session_id>/end", profile.end_session, name="settings_end_session"),
    path("settings/tokens", tokens.tokens, name="settings_tokens"),
    path("settings/tokens/<uuid:token_id>/revoke", tokens.revoke_token, name="settings_revoke_token"),
    path("settings/services", service_accounts.services, name="settings_services"),
    path("settings/services/<uuid:service_id>", service_accounts.service, name="settings_service"),
    path("settings/services/<uuid:service_id>/scopes", service_accounts.change, name="settings_change_service"),
    path("settings/services/<uuid:service_id>/owners", service_accounts.add_owner, name="settings_add_owner"),
    path(
        "settings/services/<uuid:service_id>/owners/<uuid:user_id>/end",
        service_accounts.end_owner,
        name="settings_end_owner",
    ),
    path("settings/services/<uuid:service_id>/end", service_accounts.end, name="settings_end_service"),
    path("settings/members", members.members, name="settings_members"),
    path("settings/members/confirm", members.confirm, name="settings_confirm"),
    path("settings/members/<uuid:user_id>", members.member, name="settings_member"),
    path("settings/members/<uuid:user_id>/roles", members.grant_role, name="settings_grant_role"),
    path("settings/members/<uuid:user_id>/roles/<slug:role>/end", members.end_role, name="settings_end_role"),
    path("settings/members/<uuid:user_id>/teams", members.grant_team, name="settings_grant_team"),
    path("settings/members/<uuid:user_id>/teams/<slug:team>/end", members.end_team, name="settings_end_team"),
    path("settings/members/<uuid:user_id>/rights/<str:scope>/end", members.end_scope, name="settings_end_scope"),
    path("settings/members/<uuid:user_id>/confirm", members.confirm_account, name="settings_confirm_account"),
    path("settings/members/<uuid:user_id>/reset", members.reset, name="settings_reset_member"),
    path("settings/members/<uuid:user_id>/sessions/end", members.end_sessions, name="settings_end_member_sessions"),
    path(
        "settings/members/<uuid:user_id>/sessions/<uuid:session_id>/end",
        members.end_sessions,
        name="settings_end_member_session",
    ),
    path("settings/members/<uuid:user_id>/end", members.end_membership, name="settings_end_membership"),
    path("settings/invitations", invitations.invitations, name="settings_invitations"),
    path("settings/invitations/<uuid:invitation_id>/send", invitations.send, name="settings_send_invitation"),
    path(
        "settings/invitations/<uuid:invitation_id>/withdraw",
        invitations.withdraw,
        name="settings_withdraw_invitation",
    ),
    path("settings/teams", teams.teams, name="settings_teams"),
    path("settings/teams/<slug:slug>", teams.team, name="settings_team"),
]
