"""The bodies of the calls about people: shape and bounds; the actions have the rules."""

from stellapromote.api.fields import LineField, SlugField
from stellapromote.api.serializers import Body
from stellapromote.identity.rules import LONGEST_NAME, LONGEST_REASON


class TeamChanges(Body):
    display_name = LineField(max_length=LONGEST_NAME, required=False)


class NewTeam(TeamChanges):
    slug = SlugField(help_text="Its name in approval rules. It never changes.")


class OptionalReason(Body):
    reason = LineField(max_length=LONGEST_REASON, required=False, help_text="Why, for the readers of the audit log.")
