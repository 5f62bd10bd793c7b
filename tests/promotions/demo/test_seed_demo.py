"""The demo told for real, once, and started again after people did in it what they may do in any tenant."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings

from environments.actions.update_environment import update_environment
from environments.models import Environment, FreezeWindow
from promotions.actions.take_bundle import take_newest_documents
from promotions.demo.cast import CI, INTERNAL, SCANNER, SLUG, recall
from promotions.demo.guide import guide
from promotions.demo.scans import report
from promotions.documents.bundles import has_newer
from promotions.judging.evaluation_context import stored_requirements
from promotions.models import EvidenceDocument, Promotion, Release
from promotions.states import Status
from stellapromote.accounts.models import Product, ServiceAccount, Tenant
from stellapromote.clock import FixedClock, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from tests.database import CommittedDatabase
from tests.factories import make_freeze, make_tenant
from tests.promotions.demo.played import (
    archived,
    by_its_ci_alone,
    counts,
    cve_gate,
    for_production,
    greta,
    hours_later,
    into_staging,
    latest_of_everything,
    nia_approves_everything,
    nothing_waits,
    removed,
    signed_in,
    staging_thaws,
    started,
    waiting,
    without_role,
)
from tests.promotions.uploads import uploaded
from tests.proposals import confirmed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first_start(committed_database: CommittedDatabase, django_db_blocker: Any) -> Iterator[str]:
    """What the first start said; the demo is there for all tests of this module."""
    with django_db_blocker.unblock():
        try:
            yield started()
        finally:
            committed_database.reset()


@pytest.fixture
def demo(first_start: str, django_db_blocker: Any) -> Iterator[Tenant]:
    """The demo as the first start left it; what the test does to it is undone."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Tenant.objects.get(slug=SLUG)
        transaction.set_rollback(True)


def test_the_first_start_shows_every_state_and_something_that_waits_for_nia(demo: Tenant, first_start: str) -> None:
    assert set(Promotion.objects.values_list("status", flat=True)) == {each.value for each in Status}
    assert f'open "Approvals" and look at #{for_production().number}' in first_start
    assert "passphrase" in first_start


def test_everything_that_the_first_start_stores_holds(first_start: str, django_db_blocker: Any) -> None:
    """Verification seals the audit log, which no transaction around it may undo: what it notes stays for the others."""
    said = io.StringIO()
    with django_db_blocker.unblock():
        call_command("verify_evidence", stdout=said)
        number = Promotion.objects.count()
    *_, last, tenants = said.getvalue().splitlines()
    assert number > 5
    assert last.endswith(f": {number} promotions, 0 findings")
    assert tenants == "Tenants verified: 1"


def test_what_waits_for_nia_was_scanned_by_mei_s_machine_and_has_a_finding_below_the_limits(demo: Tenant) -> None:
    promotion = for_production()
    gate = cve_gate(promotion)
    assert (gate["status"], gate["details"]["counts"]["medium"], gate["details"]["counts"]["total"]) == ("pass", 1, 1)
    assert [each["trusted"] for each in gate["details"]["documents"]] == [True] * 4
    assert not has_newer(promotion)


def test_nothing_entered_production_without_a_scan_that_is_believed(demo: Tenant) -> None:
    entered = Promotion.objects.filter(target_environment__name="production", approved_at__isnull=False)
    assert {cve_gate(each)["status"] for each in entered} == {"pass"}
    assert entered.count() == 8


def test_what_ci_requested_and_scanned_itself_waits_with_all_approvals_and_the_guide_names_it(
    demo: Tenant, first_start: str
) -> None:
    promotion = by_its_ci_alone()
    gate = cve_gate(promotion)
    assert (promotion.status, gate["status"], gate["reasonCodes"]) == (
        "pending",
        "pending",
        ["SECURITY_REPORT_UNTRUSTED"],
    )
    assert promotion.blocked_by == ["cve"]
    assert f"Open #{promotion.number}, too: the scan by the CI that requested it is not believed" in first_start


@pytest.mark.parametrize(("machine", "status"), [(CI, "pending"), (SCANNER, "pass")])
def test_only_the_scanner_can_bring_the_scan_that_it_waits_for(demo: Tenant, machine: str, status: str) -> None:
    promotion = by_its_ci_alone()
    by = recall(demo).actors[machine]
    for component in promotion.release.components.all():
        content = report(component.image_repository, component.digest, DATABASE_CLOCK.now())
        uploaded(by, component.digest, "vulnerabilities", content)
    assert cve_gate(take_newest_documents(promotion.pk, by=recall(demo).actors["tomas"]))["status"] == status


@pytest.mark.parametrize(
    "in_place_of_ours", [{"name": "another"}, {"scopes": ["release:read"]}], ids=["none", "somebody's own"]
)
def test_a_demo_of_an_older_version_goes_on_without_a_scanner(demo: Tenant, in_place_of_ours: dict[str, Any]) -> None:
    ServiceAccount.objects.filter(name=SCANNER).update(**in_place_of_ours)
    production = recall(demo).production
    confirmed(
        update_environment(
            by=greta(), clock=DATABASE_CLOCK, environment_id=production.pk, changes={"promotion_policy": "default"}
        )
    )
    nia_approves_everything()
    staging_thaws()
    documents, services = EvidenceDocument.objects.count(), ServiceAccount.objects.count()
    said = started()
    assert f"#{for_production().number}, which waits for you" in said
    assert [each["name"] for each in for_production().gates] == ["preconditions", "freeze-window", "approval"]
    assert (EvidenceDocument.objects.count(), ServiceAccount.objects.count()) == (documents, services)


def test_what_a_later_start_asks_for_is_scanned_too(demo: Tenant) -> None:
    nia_approves_everything()
    staging_thaws()
    started()
    promotion = for_production()
    assert promotion.release.name.startswith("checkout-48.")
    assert (promotion.status, cve_gate(promotion)["status"]) == ("awaiting_approval", "pass")


def test_a_second_start_adds_nothing_while_something_waits(demo: Tenant) -> None:
    before = counts()
    assert f"#{for_production().number}, which waits for you" in started()
    assert counts() == before


def test_a_start_after_everything_was_decided_asks_for_something_new(demo: Tenant) -> None:
    nothing_waits()
    said = started()
    [promotion] = waiting()
    assert f"#{promotion.number}, which waits for you" in said


@pytest.mark.parametrize("hours", [0, 3], ids=["at once", "three hours later"])
@pytest.mark.parametrize("thawed", [True, False], ids=["staging open", "staging as it is"])
def test_a_start_after_everything_was_decided_dates_nothing_later_than_now(
    demo: Tenant, monkeypatch: pytest.MonkeyPatch, *, thawed: bool, hours: int
) -> None:
    nia_approves_everything()
    if thawed:
        staging_thaws()
    releases, _ = counts()
    now = hours_later(monkeypatch, hours)
    assert "waits for Nia before it may enter" in started()
    assert counts()[0] == releases + 1
    assert latest_of_everything() <= now


def test_what_was_refused_or_taken_back_or_is_older_than_what_runs_is_not_asked_for_again(demo: Tenant) -> None:
    nia_approves_everything()
    staging_thaws()
    started()
    asked = for_production().release
    others = Promotion.objects.filter(target_environment__name="production", product=asked.product)
    assert not Promotion.objects.filter(release=asked, status__in=[Status.REJECTED, Status.ROLLED_BACK]).exists()
    assert not others.exclude(release=asked).filter(release__created_at__gte=asked.created_at).exists()


def test_a_later_start_fills_the_last_hour(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    nia_approves_everything()
    now = hours_later(monkeypatch, 3)
    started()
    newest = for_production()
    assert now - timedelta(hours=1) < newest.requested_at < now - timedelta(minutes=10)
    assert newest.release.created_at == now - timedelta(hours=1)


def test_nothing_is_told_from_before_the_end_of_a_freeze(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    nia_approves_everything()
    until = FreezeWindow.objects.get(cleared_at=None).ends_at
    monkeypatch.setattr(
        "promotions.management.commands.seed_demo.DATABASE_CLOCK", FixedClock(until + timedelta(minutes=5))
    )
    started()
    assert for_production().release.created_at == until


def test_while_staging_is_frozen_nothing_is_deployed_there_and_what_is_new_waits_for_nia(demo: Tenant) -> None:
    nia_approves_everything()
    deployed = into_staging()
    said = started()
    [promotion] = waiting()
    assert f"{promotion.release.name} waits for Nia before it may enter Staging" in said
    assert promotion.blocked_by == ["freeze-window", "approval"]
    assert into_staging() == deployed


def test_while_the_line_is_stopped_and_nothing_waits_nothing_is_told(demo: Tenant) -> None:
    nia_approves_everything()
    now = DATABASE_CLOCK.now()
    make_freeze(greta(), None, rfc3339(now), rfc3339(now + timedelta(hours=1)), name="Stop")
    before = counts()
    assert "The demo is left as it is: a freeze keeps everything out of Development." in started()
    assert counts() == before


def test_what_expires_in_a_moment_is_not_shown_as_waiting(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    old = for_production()
    at_the_end = FixedClock(old.pending_expires_at - timedelta(minutes=5))
    monkeypatch.setattr("promotions.management.commands.seed_demo.DATABASE_CLOCK", at_the_end)
    said = started()
    new = waiting()[-1]
    assert new.pk != old.pk
    assert f"#{new.number}, which waits for you" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: removed("mei"), "mei is no member of kestrel-pay any more."),
        (lambda: removed("tomas"), "tomas is no member of kestrel-pay any more."),
        (lambda: archived("production"), "Production is archived: no release may enter it."),
        (
            lambda: (nothing_waits(), without_role("tomas", "operator")),
            "This needs the right promotion:request, which the role operator has: ",
        ),
        (
            lambda: (nothing_waits(), without_role("mei", "approver")),
            "This needs the right promotion:approve, which the role approver has: ",
        ),
    ],
    ids=["mei removed", "tomas removed", "production archived", "tomas without role", "mei without role"],
)
def test_a_demo_that_cannot_go_on_says_why_in_one_sentence_and_leaves_everything(
    demo: Tenant, change: Callable[[], object], reason: str
) -> None:
    change()
    before = counts()
    said = started()
    assert f"The demo is left as it is: {reason}" in said
    assert "sign in as before, with the passphrase" in said
    assert counts() == before


def test_a_tenant_of_the_same_name_that_is_no_demo_is_left_alone(demo: Tenant) -> None:
    Tenant.objects.filter(pk=demo.pk).update(is_demo=False)
    said = started()
    assert "is not a demo: nothing is added to it." in said
    assert "passphrase" not in said


def test_other_tenants_beside_a_demo_on_somebody_s_own_database_do_not_keep_it_from_starting(
    demo: Tenant, settings: Settings
) -> None:
    settings.EMBEDDED_POSTGRES, settings.DEMO = None, True
    make_tenant("acme")
    assert "There are other tenants in this database" in started()


def test_a_demo_that_is_not_there_yet_is_not_mixed_with_other_tenants(demo: Tenant, settings: Settings) -> None:
    settings.EMBEDDED_POSTGRES, settings.DEMO = None, True
    Tenant.objects.filter(pk=demo.pk).update(slug="renamed")
    with pytest.raises(CommandError, match="There are other tenants in this database"):
        started()


def test_the_guide_s_refusals_are_there_when_its_order_comes_to_them(demo: Tenant, first_start: str) -> None:
    steps = re.split(r"\n  (?=[1-6]\. )", first_start)[1:]
    assert [re.findall(r"\b(nia|tomas|ravi|greta|idris|acme)\b", step)[:1] for step in steps] == [
        ["nia"],
        ["tomas"],
        ["nia"],
        ["idris"],
        ["greta"],
        ["acme"],
    ]
    promotion = for_production()
    for username, reason in (
        ("tomas", "You requested this promotion"),
        ("ravi", "Somebody else must decide on this promotion: Ravi Menon created the release"),
        ("greta", "This needs the right promotion:approve"),
    ):
        assert username in steps[1]
        shown = signed_in(username).get(f"/promotions/{promotion.pk}").content.decode()
        button = r'aria-disabled="true" aria-describedby="reason-approve(?:-reject)?">[^<]*Approve</button>'
        assert re.search(button, shown)
        assert re.search(rf'id="reason-approve(?:-reject)?">{reason}', shown)
    found = re.search(r"(/api/v1/promotions/[0-9a-f-]+/approve).*?Bearer (spt_[^\"]+)", steps[1], re.DOTALL)
    assert found is not None
    path, token = found.groups()
    response = Client().post(path, {}, "application/json", headers={"Authorization": f"Bearer {token}"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert "You requested this promotion" in error["message"]
    assert f"approve #{promotion.number}: the decision is signed at once." in steps[2]


def test_the_guide_says_what_else_a_release_waits_for_and_refuses_nobody_whom_the_page_does_not(demo: Tenant) -> None:
    nia_approves_everything()
    said = started()
    assert "your vote counts, and freeze-window still has to pass." in said
    assert "The page has other reasons for greta" in said
    assert "Approve</button>" in signed_in("ravi").get(f"/promotions/{waiting()[0].pk}").content.decode()


def test_the_guide_s_commands_find_an_installation_that_is_elsewhere() -> None:
    waiting = Promotion(
        number=1,
        release=Release(name="1.0", created_by_id=UUID(int=1)),
        target_environment=Environment(display_name="Production"),
    )
    elsewhere = guide("http://127.0.0.1", "pass", "token", waiting, state="/srv/my data")
    assert elsewhere.count("STELLAPROMOTE_DATA='/srv/my data' .venv/bin/python manage.py ") == 3
    assert "STELLAPROMOTE_DATA" not in guide("http://127.0.0.1", "pass", "token", waiting)


def test_each_product_enters_staging_by_its_owners(demo: Tenant) -> None:
    entered = Promotion.objects.filter(target_environment__name="staging", approved_at__isnull=False)
    owners = {each.product: stored_requirements(each)["product"]["ownerTeams"] for each in entered}
    assert owners == {
        "payments": ["payments"],
        "checkout": ["checkout"],
        "ledger": ["payments"],
        "handbook": ["checkout"],
    }
    voters = set(entered.values_list("product", "votes__username"))
    assert voters == {
        ("payments", "nia"),
        ("ledger", "nia"),
        ("checkout", "nia"),
        ("checkout", "mei"),
        ("handbook", "nia"),
    }


def test_the_path_of_the_handbook_ends_before_production(demo: Tenant) -> None:
    entered = Promotion.objects.filter(product=INTERNAL, status=Status.DEPLOYED)
    assert set(entered.values_list("target_environment__name", flat=True)) == {"dev", "staging"}
    assert Product.objects.get(slug=INTERNAL).path == ["dev", "staging"]
