"""The bodies of the calls about people: shape and bounds; the actions have the rules."""

from stellapromote.api.fields import LineField, SlugField, StrictChoiceField
from stellapromote.api.serializers import Body
from stellapromote.identity.rules import LONGEST_NAME, LONGEST_REASON


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


class OptionalReason(Body):
    reason = LineField(max_length=LONGEST_REASON, required=False, help_text="Why, for the readers of the audit log.")
