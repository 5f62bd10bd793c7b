"""Forms whose input goes to one action: a form reads, the action judges, and its refusal comes back to the fields."""

import re
from collections.abc import Mapping
from typing import ClassVar

from django import forms
from django.http import HttpRequest, QueryDict

from stellapromote.errors import Invalid, ProductError

_ABOUT_THE_INPUT = (400, 413, 415, 422)


def posted(request: HttpRequest) -> QueryDict | None:
    """The data to which a form is bound: none while the page is only read."""
    return request.POST if request.method == "POST" else None


class ActionFields(forms.BaseForm):
    """The parts of a form of an action beside its fields. Mixed into forms of other kinds; the others are
    ActionForms."""

    #: Fields whose names in the API (`expiresAt`) are not theirs in camel case.
    called: ClassVar[Mapping[str, str]] = {}
    #: The field that is refused where the action refuses the input and names no field: the file, the rules.
    main_field: ClassVar[str | None] = None

    def show_refusal(self, refusal: ProductError) -> bool:
        """Puts a refusal of the action beside the fields that it is about. False where it is about none of them."""
        if isinstance(refusal, Invalid) and refusal.fields:
            for each in refusal.fields:
                field, inside = self.place_of(each.field)
                self.add_error(field if self._shows(field) else None, f"{inside}{each.message}")
            return True
        name = self.place_of(refusal.about)[0] if refusal.about else None
        if not self._shows(name) and refusal.status in _ABOUT_THE_INPUT:
            name = self.main_field
        if not self._shows(name):
            return False
        self.add_error(name, refusal.message)
        return True

    def place_of(self, place: str) -> tuple[str, str]:
        """The name of the field for a place in wire names (`approvalPolicies[0]`), and the words that its errors begin
        with where the field has many such places."""
        wire = re.split(r"[.\[]", place, maxsplit=1)[0]
        return self.called.get(wire, re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", wire)), ""

    def _shows(self, name: str | None) -> bool:
        return name is not None and name in self.fields and not self.fields[name].widget.is_hidden


class ActionForm(ActionFields, forms.Form):
    """A form whose input goes to one action."""
