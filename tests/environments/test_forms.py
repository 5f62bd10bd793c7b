from datetime import UTC, datetime

import pytest

from environments.forms import EditEnvironmentForm, EditFreezeForm, FreezeForm, NewEnvironmentForm
from environments.models import FreezeWindow
from stellapromote.errors import FieldError, Invalid
from tests.environments.world import make_approval_policy, make_environment
from tests.factories import make_product

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
FREEZE = {"reason": "Quarter end", "timezone": "Europe/Berlin"}


def freeze(**data: str) -> FreezeForm:
    return FreezeForm({**FREEZE, **data}, products=[])


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        # From now on, for some hours.
        ({"lasting": "4"}, "2026-11-23T08:00:00.000Z", "2026-11-23T12:00:00.000Z"),
        # From a time on the wall, for some hours: 12:00 in Berlin is 11:00 UTC.
        ({"start": "2026-11-24T12:00", "lasting": "1"}, "2026-11-24T12:00", "2026-11-24T12:00:00.000Z"),
        # Until a time on the wall.
        ({"end": "2026-11-24T12:00"}, "2026-11-23T08:00:00.000Z", "2026-11-24T12:00"),
    ],
)
def test_a_freeze_begins_now_or_then_and_lasts_or_ends(data, start, end):
    form = freeze(**data)
    assert form.is_valid(), form.errors
    values = form.values(NOW)
    assert (values["start"], values["end"]) == (start, end)


def test_one_hour_is_chosen_until_somebody_says_otherwise():
    form = FreezeForm(None, products=[])
    assert form["lasting"].initial == 1
    assert [str(label) for _, label in form.fields["lasting"].choices][:3] == [
        "Until the end below",
        "1 hour",
        "2 hours",
    ]


@pytest.mark.parametrize("data", [{}, {"lasting": "4", "end": "2026-11-24T12:00"}])
def test_a_freeze_says_its_end_in_one_way(data):
    form = freeze(**data)
    assert list(form.errors) == ["end"]


@pytest.mark.parametrize(
    "data",
    [
        {"start": "tomorrow", "lasting": "4"},
        {"start": "9999-12-31T23:59", "lasting": "4"},
        {"timezone": "Nowhere", "start": "2026-11-24T12:00", "lasting": "4"},
    ],
)
def test_what_cannot_be_read_is_left_to_the_action(data):
    form = freeze(**data)
    assert form.is_valid()
    assert form.values(NOW)["start"] == data["start"]


def test_usernames_are_separated_by_commas():
    form = freeze(lasting="1", exceptions=" mei, tomas ,,")
    assert form.is_valid()
    assert form.values(NOW)["exceptions"] == ["mei", "tomas"]


def test_only_what_was_touched_of_a_freeze_is_changed():
    # 02:30 comes twice that night in Berlin: sent again, the wall clock would move the instant.
    window = FreezeWindow(
        name="Night",
        reason="Night",
        starts_at=datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
        ends_at=datetime(2027, 11, 1, tzinfo=UTC),
        timezone="Europe/Berlin",
        version=3,
    )
    shown = EditFreezeForm(None, window=window, products=[])
    data = {name: shown[name].value() for name in shown.fields} | {"end": "2027-11-01T05:00"}
    form = EditFreezeForm(data, window=window, products=[])
    assert form.is_valid()
    assert form.changes() == {"end": "2027-11-01T05:00"}


@pytest.mark.django_db
class TestEnvironmentForm:
    def data(self, **more: object) -> dict[str, object]:
        return {
            "name": "prod",
            "display_name": "Production",
            "order_index": "3",
            "required_approvals": "2",
            "promotion_policy": "default",
            "exclusive": "product",
            "deployment_timeout": "60",
            "health_check_interval": "5",
            **more,
        }

    @pytest.mark.parametrize(("chosen", "value"), [("", None), ("yes", True), ("no", False)])
    def test_production_is_by_name_yes_or_no(self, tenant, chosen, value):
        form = NewEnvironmentForm(self.data(is_production=chosen), tenant_id=tenant.pk)
        assert form.is_valid(), form.errors
        assert form.values()["is_production"] is value

    def test_variables_stand_one_in_a_line(self, tenant):
        form = NewEnvironmentForm(self.data(variables="REGION=eu\r\n\r\nURL = https://x/?a=b\r\n"), tenant_id=tenant.pk)
        assert form.is_valid(), form.errors
        assert form.values()["config"] == {
            "deploymentTimeout": 60,
            "healthCheckInterval": 5,
            "variables": {"REGION": "eu", "URL": "https://x/?a=b"},
        }

    def test_a_line_without_a_value_is_named(self, tenant):
        form = NewEnvironmentForm(self.data(variables="A=1\nB"), tenant_id=tenant.pk)
        assert form.errors["variables"] == ["Line 2 has no = sign."]

    def test_what_is_shown_and_sent_back_changes_nothing(self, tenant, greta, nia):
        for name in ("audit", "release"):
            make_approval_policy(greta, name)
        make_product(tenant, "ledger")
        make_environment(greta, "dev", 1)
        environment = make_environment(
            greta,
            "prod",
            2,
            approval_policies=["release"],
            product_approval_policies=[{"name": "audit", "products": ["ledger", "main"]}],
            auto_promote_from="dev",
            config={"variables": {"A": "1", "B": "2"}},
            require_separation_of_duties=True,
            required_on_every_path=True,
        )
        shown = EditEnvironmentForm(None, environment=environment)
        form = EditEnvironmentForm({name: shown[name].value() for name in shown.fields}, environment=environment)
        assert form.is_valid(), form.errors
        assert form.changes() == {
            "display_name": "Production",
            "order_index": 2,
            "is_production": True,
            "protected": False,
            "required_approvals": 0,
            "require_separation_of_duties": True,
            "promotion_policy": "default",
            "approval_policies": ["release"],
            "product_approval_policies": [{"name": "audit", "products": ["ledger", "main"]}],
            "other_products": "refuse",
            "auto_promote_from": "dev",
            "auto_promote_hold": False,
            "exclusive": "product",
            "require_manifest_report": False,
            "required_on_every_path": True,
            "config": {"deploymentTimeout": 3600, "healthCheckInterval": 60, "variables": {"A": "1", "B": "2"}},
        }

    def test_a_new_one_is_offered_the_place_behind_the_others(self, tenant, greta):
        make_environment(greta, "dev", 7)
        assert NewEnvironmentForm(None, tenant_id=tenant.pk)["order_index"].value() == 8

    @pytest.mark.parametrize(
        ("place", "field"),
        [
            ("displayName", "display_name"),
            ("approvalPolicies[0]", "approval_policies"),
            ("config.variables.TOKEN", "variables"),
            ("config.deploymentTimeout", "deployment_timeout"),
            ("config", "__all__"),
            ("unheardOf", "__all__"),
        ],
    )
    def test_a_refusal_stands_at_the_field_it_is_about(self, tenant, place, field):
        form = NewEnvironmentForm(self.data(), tenant_id=tenant.pk)
        assert form.show_refusal(Invalid(fields=[FieldError(place, "Not like this.", "invalid")]))
        assert form.errors == {field: ["Not like this."]}
