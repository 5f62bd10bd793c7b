from typing import Any

from django import forms

from stellapromote.accounts.models import Team
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import rules
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.rename_team import rename_team
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import team_document
from stellapromote.identity.roster import grants_of_team
from stellapromote.patterns import SLUG_HELP
from stellapromote.web.action_model_form import ActionModelForm


class TeamAdminForm(ActionModelForm):
    main_field = "name"
    called = {"displayName": "name"}

    name = forms.CharField(label="Name", max_length=rules.LONGEST_NAME, help_text="Empty: the short name.")

    class Meta:
        model = Team
        fields = ("slug", "name")
        labels = {"slug": "Short name"}
        help_texts = {"slug": SLUG_HELP}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["name"].required = not self.instance._state.adding
        if not self.instance._state.adding:
            self.initial["seen"] = tag_of("team", team_document(self.instance, grants_of_team(self.instance)))

    def act(self, cleaned: dict[str, Any]) -> Team:
        if self.instance._state.adding:
            return create_team(by=self.actor, clock=DATABASE_CLOCK, slug=cleaned["slug"], name=cleaned["name"])
        return rename_team(
            by=self.actor,
            clock=DATABASE_CLOCK,
            slug=self.instance.slug,
            name=cleaned["name"],
            if_match=IfMatch(cleaned["seen"]),
        )
