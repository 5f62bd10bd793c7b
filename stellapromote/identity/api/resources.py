"""The answers of the calls about people, for the documentation; presenters make the dicts."""

from rest_framework import serializers

from stellapromote.accounts.models import GrantedVia
from stellapromote.api.serializers import Resource


class GrantResource(Resource):
    """A role, team or right that a member holds."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["role", "team", "scope"])
    name = serializers.CharField(help_text="The role, the slug of the team, or the scope.")
    products = serializers.ListField(
        child=serializers.CharField(), help_text="The slugs of those for which the role counts; none: all of them."
    )
    granted_at = serializers.DateTimeField()
    granted_by = serializers.UUIDField(allow_null=True, help_text="null: the command line or a directory.")
    granted_by_name = serializers.CharField(allow_null=True)
    granted_via = serializers.ChoiceField(
        [*GrantedVia.values, "invitation"], help_text="invitation: its holder accepted it, from the one named."
    )
    confirmed_at = serializers.DateTimeField(allow_null=True)
    confirmed_by = serializers.UUIDField(allow_null=True, help_text="null with a confirmedAt: the command line.")
    confirmed_by_name = serializers.CharField(allow_null=True)
    vouched_for = serializers.BooleanField(
        help_text="Made on the command line or by a directory, or confirmed: it counts, no matter who gave it."
    )
    ended_at = serializers.DateTimeField(allow_null=True, help_text="null: it is in force.")


class HoldersResource(Resource):
    """People who saw a one-time link of an account, or chose where it was sent."""

    since = serializers.DateTimeField()
    usernames = serializers.ListField(
        child=serializers.CharField(), help_text="Of those who are or were members here; it may be empty."
    )
    email = serializers.CharField(
        allow_null=True, help_text="Where a link for a new password goes: confirm it, too. null: nowhere."
    )


class MemberResource(Resource):
    """A person of the tenant."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    joined_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="null: they are a member now.")
    held_by = HoldersResource(
        allow_null=True,
        help_text="The account may be theirs until another person confirms it; null: it is that of the member alone.",
    )
    grants = GrantResource(many=True)


class ResetLinkResource(Resource):
    """A link by which a member sets a new password."""

    link = serializers.CharField(allow_null=True, help_text="Shown once and kept nowhere; null: it goes by e-mail.")


class MailResource(Resource):
    """The e-mail that carries the link."""

    state = serializers.ChoiceField(["waiting", "sent", "failed"])
    sent_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField(allow_null=True, help_text="Why the last attempt failed.")


class InvitationResource(Resource):
    """An invitation, without its link."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    email = serializers.CharField(help_text="Empty: none was given.")
    roles = serializers.ListField(child=serializers.CharField())
    products = serializers.ListField(
        child=serializers.CharField(),
        help_text="The slugs of those for which the roles operator and approver count; none: all of them.",
    )
    teams = serializers.ListField(child=serializers.CharField(), help_text="Slugs, without teams that are gone.")
    created_at = serializers.DateTimeField()
    created_by = serializers.UUIDField()
    created_by_name = serializers.CharField()
    expires_at = serializers.DateTimeField(help_text="Its link ends then; it can be sent again.")
    mail = MailResource(allow_null=True, help_text="null: the link was shown.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="null: it is open.")


class MadeInvitationResource(InvitationResource):
    """An invitation with its new link."""

    link = serializers.CharField(allow_null=True, help_text="Shown once and kept nowhere; null: it goes by e-mail.")


class SessionResource(Resource):
    """A browser in which you are signed in."""

    id = serializers.UUIDField()
    device = serializers.CharField(help_text="The browser, as far as it says.")
    address = serializers.CharField(allow_null=True)
    signed_in_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="It makes this call.")


class EndedSessionsResource(Resource):
    ended = serializers.IntegerField(help_text="The number of sessions that ended.")


class ServiceOwnerResource(Resource):
    id = serializers.UUIDField(help_text="Of the person.")
    username = serializers.CharField()
    display_name = serializers.CharField()
    granted_at = serializers.DateTimeField()


class ServiceResource(Resource):
    """A machine. Without an owner who is a member it is refused."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    account_id = serializers.UUIDField(help_text="Its id in promotions, votes and the audit log.")
    username = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    products = serializers.ListField(
        child=serializers.CharField(),
        help_text="The slugs of those whose releases and promotions alone it may write; none: all of them.",
    )
    created_at = serializers.DateTimeField()
    owners = ServiceOwnerResource(many=True)


class TokenResource(Resource):
    """A token, without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    public_id = serializers.CharField(help_text="The part of the token after spt_ that is no secret.")
    scopes = serializers.ListField(child=serializers.CharField())
    products = serializers.ListField(
        child=serializers.CharField(), help_text="It writes releases and promotions of these alone. Empty: of all."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    issued_by = serializers.UUIDField(allow_null=True, help_text="null: the command line.")
    issued_by_name = serializers.CharField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_by = serializers.UUIDField(allow_null=True)
    revoked_by_name = serializers.CharField(allow_null=True)


class IssuedTokenResource(TokenResource):
    """A new token. It is shown once and kept nowhere."""

    token = serializers.CharField(help_text="For Authorization: Bearer. Keep it as a password.")


class TeamRow(Resource):
    """A group of people that approval rules name by its slug."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    display_name = serializers.CharField()
    member_count = serializers.IntegerField()


class TeamMemberResource(Resource):
    id = serializers.UUIDField(help_text="Of the person.")
    username = serializers.CharField()
    display_name = serializers.CharField()
    grant = GrantResource()


class TeamResource(Resource):
    """A team with its members of now, by username."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    display_name = serializers.CharField()
    members = TeamMemberResource(many=True)


class DeletedTeamResource(Resource):
    id = serializers.UUIDField()
    deleted = serializers.BooleanField()
