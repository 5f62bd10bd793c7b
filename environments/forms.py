"""The forms of the environment pages. Forms read; the actions judge, and their refusals come back to the fields."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms

from environments.actions.create_environment import PRODUCTION_NAMES
from environments.models import Environment, FreezeWindow
from environments.ordering import order
from environments.product_guards import ALLOW, REFUSE, products_named
from environments.settings_schema import DAY, DEFAULT_CONFIG, MAX_ORDER_INDEX, MAX_REQUIRED_APPROVALS
from policies.models import ApprovalPolicy, PromotionPolicy
from policies.windows import BadTime, instant_of
from stellapromote.accounts.models import Product
from stellapromote.clock import rfc3339
from stellapromote.identity.product_choice import names_in, offer_products, products_field
from stellapromote.web.forms import ActionForm

_DEFAULTED = ("protected", "other_products")
"""What the actions choose where a form leaves it open."""


class EnvironmentForm(ActionForm):
    """The settings of an environment and its guards; all fields but its name."""

    display_name = forms.CharField(label="Display name", max_length=200)
    order_index = forms.IntegerField(
        label="Place in the order",
        min_value=0,
        max_value=MAX_ORDER_INDEX,
        help_text="Releases pass environments from the lowest number to the highest.",
    )
    is_production = forms.ChoiceField(label="Production", required=False)
    protected = forms.ChoiceField(
        label="Protected",
        required=False,
        help_text="An edit that makes entering it easier waits until a second person confirms it.",
    )
    required_approvals = forms.IntegerField(
        label="Required approvals",
        min_value=0,
        max_value=MAX_REQUIRED_APPROVALS,
        initial=0,
        help_text="By anyone eligible, besides the places in approval policies. With 0 and no policy none is needed.",
    )
    require_separation_of_duties = forms.BooleanField(
        label="The person who created the release does not approve it", required=False
    )
    promotion_policy = forms.ChoiceField(label="Promotion policy", help_text="Which gates guard it.")
    approval_policies = forms.MultipleChoiceField(
        label="Approval policies for every product", required=False, widget=forms.CheckboxSelectMultiple
    )
    product_approval_policies = forms.CharField(
        label="Approval policies for some products",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
        help_text="Like two-person: ledger, cards. One policy in each line, with its products.",
    )
    other_products = forms.ChoiceField(
        label="Products without a line above",
        required=False,
        choices=[
            ("", "Refused in production, once there is a line"),
            (ALLOW, "Enter by the policies for every product"),
            (REFUSE, "Refused"),
        ],
    )
    auto_promote_from = forms.ChoiceField(
        label="Promote automatically from",
        required=False,
        help_text="The environment directly before. Gates and approvals stay as they are.",
    )
    auto_promote_hold = forms.BooleanField(label="Hold automatic promotion for now", required=False)
    exclusive = forms.ChoiceField(
        label="Deployments at the same time",
        choices=[("product", "One for each product"), ("environment", "One in the whole environment")],
    )
    require_manifest_report = forms.BooleanField(
        label="A deployment report must name the manifest digest", required=False
    )
    required_on_every_path = forms.ChoiceField(
        label="On the path of every product",
        required=False,
        choices=[("", "Yes if it stands directly before production"), ("yes", "Yes"), ("no", "No")],
    )
    deployment_timeout = forms.IntegerField(
        label="Deployment is overdue after, in seconds",
        min_value=1,
        max_value=7 * DAY,
        initial=DEFAULT_CONFIG["deploymentTimeout"],
    )
    health_check_interval = forms.IntegerField(
        label="Health check interval, in seconds",
        min_value=1,
        max_value=DAY,
        initial=DEFAULT_CONFIG["healthCheckInterval"],
    )
    variables = forms.CharField(
        label="Variables",
        required=False,
        max_length=250_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text="NAME=value, one in each line. Never secrets.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        tenant_id: UUID,
        environment: Environment | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        named = [] if environment is None else [policy.name for policy, _ in environment.entries]
        policies = ApprovalPolicy.objects.filter(tenant_id=tenant_id, retired_at=None).order_by("name")
        published = PromotionPolicy.objects.filter(tenant_id=tenant_id, current__isnull=False).order_by("name")
        others = [each for each in order(tenant_id) if environment is None or each.pk != environment.pk]
        self._choose("promotion_policy", [(each.name, each.name) for each in published])
        self._choose(
            "approval_policies", [(each.name, each.name) for each in policies if each.enabled or each.name in named]
        )
        self._choose("auto_promote_from", [("", "Never"), *((each.name, each.display_name) for each in others)])
        self._choose("is_production", [("yes", "Yes"), ("no", "No")])
        self._choose("protected", [("yes", "Yes"), ("no", "No")])

    def _choose(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def place_of(self, place: str) -> tuple[str, str]:
        """`config.variables.REGION` stands in a field of its own."""
        return super().place_of(place.removeprefix("config."))

    def clean_product_approval_policies(self) -> list[dict[str, Any]]:
        found = []
        for number, line in enumerate(self.cleaned_data["product_approval_policies"].splitlines(), start=1):
            if not line.strip():
                continue
            name, separator, products = line.partition(":")
            if not separator:
                raise forms.ValidationError("Line %(number)s has no colon after the policy.", params={"number": number})
            found.append({"name": name.strip(), "products": names_in(products)})
        return found

    def clean_variables(self) -> dict[str, str]:
        found = {}
        for number, line in enumerate(self.cleaned_data["variables"].splitlines(), start=1):
            if not line.strip():
                continue
            name, separator, value = line.partition("=")
            if not separator:
                raise forms.ValidationError("Line %(number)s has no = sign.", params={"number": number})
            found[name.strip()] = value.strip()
        return found

    def values(self) -> dict[str, Any]:
        """The arguments for the actions."""
        data = dict(self.cleaned_data)
        data["config"] = {
            "deploymentTimeout": data.pop("deployment_timeout"),
            "healthCheckInterval": data.pop("health_check_interval"),
            "variables": data.pop("variables"),
        }
        for name in ("is_production", "protected", "required_on_every_path"):
            data[name] = {"yes": True, "no": False}.get(data[name])
        data["auto_promote_from"] = data["auto_promote_from"] or None
        data["other_products"] = data["other_products"] or None
        return data


class NewEnvironmentForm(EnvironmentForm):
    name = forms.CharField(
        label="Name",
        max_length=63,
        help_text="1 to 63 lower-case letters, digits and hyphens. It never changes.",
    )
    field_order = ("name", "display_name", "order_index")

    def __init__(self, data: Mapping[str, Any] | None, *, tenant_id: UUID) -> None:
        super().__init__(data, tenant_id=tenant_id)
        by_name = f"Yes if the name is {' or '.join(sorted(PRODUCTION_NAMES))}"
        self._choose("is_production", [("", by_name), ("yes", "Yes"), ("no", "No")])
        self._choose("protected", [("", "Yes if it is production"), ("yes", "Yes"), ("no", "No")])
        last = order(tenant_id)[-1:]
        self.initial.setdefault("order_index", (last[0].order_index or 0) + 1 if last else 1)
        self.initial.setdefault("promotion_policy", "default")


class EditEnvironmentForm(EnvironmentForm):
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None, *, environment: Environment) -> None:
        initial = {
            "version": environment.version,
            "display_name": environment.display_name,
            "order_index": environment.order_index,
            "is_production": "yes" if environment.is_production else "no",
            "protected": "yes" if environment.protected else "no",
            "required_approvals": environment.required_approvals,
            "require_separation_of_duties": environment.require_separation_of_duties,
            "promotion_policy": environment.promotion_policy.name,
            "approval_policies": [policy.name for policy, products in environment.entries if not products],
            "product_approval_policies": "\n".join(
                f"{policy.name}: {', '.join(products)}" for policy, products in environment.entries if products
            ),
            "other_products": environment.other_products if products_named(environment.entries) else "",
            "auto_promote_from": environment.auto_promote_from.name if environment.auto_promote_from else "",
            "auto_promote_hold": environment.auto_promote_hold,
            "exclusive": environment.exclusive,
            "require_manifest_report": environment.require_manifest_report,
            "required_on_every_path": {None: "", True: "yes", False: "no"}[environment.required_on_every_path],
            "deployment_timeout": environment.config["deploymentTimeout"],
            "health_check_interval": environment.config["healthCheckInterval"],
            "variables": "\n".join(f"{name}={value}" for name, value in environment.config["variables"].items()),
        }
        super().__init__(data, tenant_id=environment.tenant_id, environment=environment, initial=initial)

    def changes(self) -> dict[str, Any]:
        changes = self.values()
        del changes["version"]
        return {name: value for name, value in changes.items() if name not in _DEFAULTED or value is not None}


class MoveForm(ActionForm):
    """Two buttons, each with a place."""

    order_index = forms.IntegerField(
        min_value=0, max_value=MAX_ORDER_INDEX, label="Place in the order", widget=forms.HiddenInput
    )
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


class UnarchiveForm(ActionForm):
    order_index = forms.IntegerField(min_value=0, max_value=MAX_ORDER_INDEX, label="Place in the order")


class _WallClock(forms.CharField):
    """A time by the clock on the wall; the browser offers its calendar."""

    widget = forms.TextInput(attrs={"type": "datetime-local"})

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, **options)


_EXCEPTIONS_LABEL = "May override this freeze"
_EXCEPTIONS_HELP = (
    "Usernames of members, separated by commas. Signed in, each may override it for one promotion at a time, with a "
    "reason and a ticket, unless they or you took part in that promotion. By itself it lets no promotion through."
)
_ZONE_HELP = "A name such as Europe/Berlin or UTC; start and end are times on the clock there."
_LENGTHS = [(1, "1 hour"), *((hours, f"{hours} hours") for hours in (2, 4, 8, 24, 72))]


class _FreezeOfProducts(ActionForm):
    """What a new freeze and a changed one have in common: the products that it holds, once there are several."""

    products = products_field("None: for all products, those to come included.")


class FreezeForm(_FreezeOfProducts):
    """A new freeze: from a time or from now on, until a time or for some hours."""

    field_order = ("reason", "products")

    reason = forms.CharField(label="Reason", max_length=500, help_text="Shown to everybody whose promotion waits.")
    start = _WallClock(label="Start", required=False, help_text="Empty: from now on.")
    lasting = forms.TypedChoiceField(
        label="Lasts",
        required=False,
        coerce=int,
        empty_value=None,
        initial=1,
        choices=[("", "Until the end below"), *_LENGTHS],
    )
    end = _WallClock(label="End", required=False, help_text="Only with “Until the end below”.")
    timezone = forms.CharField(label="Time zone", max_length=64, initial="UTC", help_text=_ZONE_HELP)
    name = forms.CharField(label="Name", max_length=200, required=False, help_text="Empty: the reason.")
    exceptions = forms.CharField(label=_EXCEPTIONS_LABEL, max_length=4000, required=False, help_text=_EXCEPTIONS_HELP)

    def __init__(self, data: Mapping[str, Any] | None, *, products: Sequence[Product]) -> None:
        super().__init__(data)
        offer_products(self, products)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("end") and not data.get("lasting"):
            self.add_error("end", "Say when it ends, or how long it lasts.")
        elif data.get("end") and data.get("lasting"):
            self.add_error("end", "It has a length above: choose “Until the end below” there, or leave this empty.")
        return data

    def values(self, now: datetime) -> dict[str, Any]:
        """The arguments for the action. Invalid input stays as it is, for the action to refuse."""
        data = dict(self.cleaned_data)
        lasting = data.pop("lasting")
        start = data["start"] or rfc3339(now)
        if lasting:
            try:
                data["end"] = rfc3339(instant_of(start, data["timezone"], "start") + timedelta(hours=lasting))
            except (BadTime, OverflowError, ValueError):
                data["end"] = rfc3339(now + timedelta(hours=lasting))
        return {**data, "start": start, "name": data["name"] or None, "exceptions": names_in(data["exceptions"])}


class EditFreezeForm(_FreezeOfProducts):
    """A freeze that is not over. What was not touched is not sent: a time on the wall may stand for two instants."""

    field_order = ("name", "reason", "products")

    name = forms.CharField(label="Name", max_length=200)
    reason = forms.CharField(label="Reason", max_length=500)
    start = _WallClock(label="Start")
    end = _WallClock(label="End")
    timezone = forms.CharField(label="Time zone", max_length=64, help_text=_ZONE_HELP)
    exceptions = forms.CharField(label=_EXCEPTIONS_LABEL, max_length=4000, required=False, help_text=_EXCEPTIONS_HELP)
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None, *, window: FreezeWindow, products: Sequence[Product]) -> None:
        where = ZoneInfo(window.timezone)
        initial = {
            "name": window.name,
            "reason": window.reason,
            "start": window.starts_at.astimezone(where).strftime("%Y-%m-%dT%H:%M"),
            "end": window.ends_at.astimezone(where).strftime("%Y-%m-%dT%H:%M"),
            "timezone": window.timezone,
            "products": window.products,
            "exceptions": ", ".join(window.exceptions),
            "version": window.version,
        }
        super().__init__(data, initial=initial)
        offer_products(self, products)

    def changes(self) -> dict[str, Any]:
        changes = {name: self.cleaned_data[name] for name in self.changed_data if name != "version"}
        if "exceptions" in changes:
            changes["exceptions"] = names_in(changes["exceptions"])
        return changes


class LiftForm(ActionForm):
    reason = forms.CharField(
        label="Why it ends before its time",
        max_length=500,
        help_text=(
            "Lifting a freeze that somebody else set is listed with every promotion decided within 30 days of it, and "
            "waits for a second person where a protected environment is concerned."
        ),
    )
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
