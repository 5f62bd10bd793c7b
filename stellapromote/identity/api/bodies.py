"""The bodies of the calls about people: shape and bounds; the actions have the rules."""

from stellapromote.accounts.models.token import DEFAULT_LIFE, LONGEST_LIFE
from stellapromote.accounts.scopes import ROLES, SCOPES
from stellapromote.api.fields import (
    LineField,
    PatternField,
    SlugField,
    StrictChoiceField,
    StrictIntegerField,
    StrictListField,
)
from stellapromote.api.serializers import Body
from stellapromote.identity.rules import LONGEST_EMAIL, LONGEST_NAME, LONGEST_REASON, LONGEST_TOKEN_NAME, USERNAME_HELP
from stellapromote.patterns import USERNAME

MOST_PRODUCTS = 50
"""Products to which one right is limited."""


class TeamChanges(Body):
    display_name = LineField(max_length=LONGEST_NAME, required=False)


class NewTeam(TeamChanges):
    slug = SlugField(help_text="Its name in approval rules. It never changes.")


class MemberChanges(Body):
    display_name = LineField(max_length=LONGEST_NAME, required=False)


class Reason(Body):
    reason = LineField(max_length=LONGEST_REASON, help_text="Why, for the readers of the audit log.")


class NewGrant(Reason):
    kind = StrictChoiceField(choices=["role", "team", "scope"])
    name = LineField(max_length=63, help_text="The role, the slug of the team, or the scope.")
    products = StrictListField(
        child=SlugField(),
        min_length=1,
        max_length=MOST_PRODUCTS,
        required=False,
        help_text="The role operator or approver counts for releases and promotions of these alone. Without: of all.",
    )


class NewInvitation(Body):
    username = PatternField(USERNAME, USERNAME_HELP, max_length=63)
    display_name = LineField(max_length=LONGEST_NAME, required=False, help_text="Of a new account; else the username.")
    email = LineField(
        max_length=LONGEST_EMAIL, required=False, help_text="Where the link is sent. Needed with an e-mail server."
    )
    roles = StrictListField(child=StrictChoiceField(choices=list(ROLES)), min_length=1, max_length=len(ROLES))
    products = StrictListField(
        child=SlugField(),
        min_length=1,
        max_length=MOST_PRODUCTS,
        required=False,
        help_text="The roles operator and approver count for releases and promotions of these alone. Without: of all.",
    )
    teams = StrictListField(child=SlugField(), max_length=50, required=False, help_text="Slugs.")


class ServiceChanges(Body):
    scopes = StrictListField(child=StrictChoiceField(choices=list(SCOPES)), min_length=1, max_length=len(SCOPES))
    products = StrictListField(
        child=SlugField(),
        max_length=MOST_PRODUCTS,
        required=False,
        help_text="It reads everything, and writes releases and promotions of these alone. None: of all.",
    )


class NewService(ServiceChanges):
    name = SlugField(help_text="It never changes, and is used once.")
    owners = StrictListField(
        child=PatternField(USERNAME, USERNAME_HELP, max_length=63), min_length=1, max_length=50, help_text="Usernames."
    )


class NewToken(Body):
    name = LineField(max_length=LONGEST_TOKEN_NAME, help_text="You recognize it by this later.")
    scopes = StrictListField(child=StrictChoiceField(choices=list(SCOPES)), min_length=1, max_length=len(SCOPES))
    expires_days = StrictIntegerField(
        min_value=1, max_value=LONGEST_LIFE.days, required=False, help_text=f"{DEFAULT_LIFE.days} if not given."
    )
    products = StrictListField(
        child=SlugField(),
        min_length=1,
        max_length=MOST_PRODUCTS,
        required=False,
        help_text="It reads everything, and writes releases and promotions of these alone. Without: of all.",
    )


class Ownership(Body):
    """The path says all of it."""


class OptionalReason(Body):
    reason = LineField(max_length=LONGEST_REASON, required=False, help_text="Why, for the readers of the audit log.")
