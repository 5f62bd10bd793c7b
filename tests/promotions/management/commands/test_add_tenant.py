import re

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError

from environments.models import Calendar
from policies.models import PromotionPolicy
from promotions.management.commands import add_tenant
from stellapromote.accounts.models import Tenant
from tests.factories import make_tenant
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db


def test_a_tenant_is_added_with_its_calendar_and_its_policy() -> None:
    out, _ = run("add_tenant", "kestrel-pay", "--name", "Kestrel Pay")
    assert "Two people added so, admins or approvers, can confirm" in out
    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.name) == ("kestrel-pay", "Kestrel Pay")
    assert Calendar.objects.filter(tenant=tenant).exists()
    assert PromotionPolicy.objects.get(tenant=tenant).current is not None
    assert "manage.py add_member --tenant kestrel-pay" in out


def test_without_a_name_it_has_that_of_its_slug() -> None:
    run("add_tenant", "kestrel-pay")
    assert Tenant.objects.get().name == "kestrel-pay"


@pytest.mark.parametrize(("slug", "sentence"), [("osprey", "osprey"), ("No Slug", "slug: Use 1 to 63")])
def test_what_cannot_be_is_one_sentence(slug: str, sentence: str) -> None:
    make_tenant("osprey")
    with pytest.raises(CommandError, match=rf"^(?!-).*{re.escape(sentence)}"):
        run("add_tenant", slug)
    assert Tenant.objects.count() == 1


def test_a_database_that_is_away_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(add_tenant, "create_tenant", away)
    with pytest.raises(CommandError, match="The database does not answer: connection refused"):
        run("add_tenant", "kestrel-pay")
