from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.models import AuditEvent, AuditPending
from stellapromote.audit.recording import Entry, record, record_many
from stellapromote.audit.verify import verify_tenant
from stellapromote.ids import new_id
from stellapromote.signing.canonical_json import CanonicalJsonError
from tests.database import CommittedDatabase
from tests.examples import examples
from tests.factories import actor_of, actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.audit.chains import make_chain

AT = datetime(2026, 11, 23, 8, 0, 0, 123999, tzinfo=UTC)


def entry(by: Actor, action: str = "promotion.approved", at: datetime = AT) -> Entry:
    return Entry(by=by, at=at, action=action, resource="promotion", resource_id="1042")


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_tenant()


@pytest.fixture
def nia(tenant: Tenant) -> Actor:
    return actor_of(make_person(tenant, "nia", display_name="Nia Okafor", roles=["approver"]), tenant)


def test_an_event_says_who_did_what_to_which_thing(nia: Actor) -> None:
    promotion, release, environment = new_id(), new_id(), new_id()
    identifier = record(
        by=nia,
        at=AT,
        action="promotion.approved",
        resource="promotion",
        resource_id=promotion,
        before={"status": "awaiting_approval"},
        after={"status": "approved"},
        metadata={"number": 1042},
        environment_id=environment,
        release_id=release,
        promotion_id=promotion,
    )
    event = AuditEvent.objects.get(pk=identifier)
    assert (event.actor_type, event.actor_id, event.actor_name) == ("user", nia.user_id, "Nia Okafor (nia)")
    assert (event.actor_ip, event.request_id) == ("192.0.2.1", "test")
    assert (event.action, event.resource, event.resource_id) == ("promotion.approved", "promotion", str(promotion))
    assert (event.before, event.after) == ({"status": "awaiting_approval"}, {"status": "approved"})
    assert event.metadata == {"number": 1042, "authMethod": "session"}
    assert (event.promotion_id, event.release_id, event.environment_id) == (promotion, release, environment)
    assert event.tenant_id == nia.tenant_id


def test_the_time_is_cut_to_milliseconds(nia: Actor) -> None:
    identifier = record_many([entry(nia)])[0]
    assert AuditEvent.objects.get(pk=identifier).timestamp == AT.replace(microsecond=123000)


def test_an_event_by_token_names_token_and_issuer(tenant: Tenant) -> None:
    owner = make_person(tenant, roles=["operator"])
    service = make_service(tenant, owner)
    by = actor_of_token(make_token(tenant, service.user, by=actor_of(owner, tenant)))
    event = AuditEvent.objects.get(pk=record_many([entry(by)])[0])
    assert event.actor_type == "service"
    assert event.metadata == {"authMethod": "token", "tokenId": str(by.token_id), "tokenIssuerId": str(owner.pk)}


def test_the_worker_has_no_id_and_no_address(tenant: Tenant) -> None:
    event = AuditEvent.objects.get(pk=record_many([entry(system_actor(tenant.id, tenant.slug))])[0])
    assert (event.actor_type, event.actor_id, event.actor_name) == ("system", None, "StellaPromote")
    assert event.actor_ip is None


def test_any_number_of_events_is_one_statement(nia: Actor, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        identifiers = record_many([entry(nia, action) for action in ("a.b", "c.d", "e.f")])
    actions = dict(AuditEvent.objects.filter(pk__in=identifiers).values_list("id", "action"))
    assert [actions[identifier] for identifier in identifiers] == ["a.b", "c.d", "e.f"]


def test_no_events_are_no_statement(db: None, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert record_many([]) == []


def test_every_event_waits_for_its_link(nia: Actor) -> None:
    identifiers = record_many([entry(nia), entry(nia)])
    waiting = AuditPending.objects.filter(event_id__in=identifiers)
    assert set(waiting.values_list("event_id", "tenant_id")) == {(each, nia.tenant_id) for each in identifiers}


def test_an_event_goes_with_the_change_it_tells_of(nia: Actor) -> None:
    identifiers: list[UUID] = []
    with transaction.atomic():
        identifiers += record_many([entry(nia)])
        transaction.set_rollback(True)
    assert not AuditEvent.objects.filter(pk__in=identifiers).exists()
    assert not AuditPending.objects.filter(event_id__in=identifiers).exists()


def test_numbers_that_json_cannot_hold_exactly_are_refused(nia: Actor) -> None:
    with pytest.raises(CanonicalJsonError):
        record(by=nia, at=AT, action="a.b", resource="r", after={"number": 2**53})


def test_a_time_without_a_zone_is_refused(nia: Actor) -> None:
    with pytest.raises(ValueError, match="zone"):
        record(by=nia, at=AT.replace(tzinfo=None), action="a.b", resource="r")


@pytest.fixture
def chain(committed_db: CommittedDatabase) -> Actor:
    tenant = make_chain()
    return system_actor(tenant.id, tenant.slug)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15, allow_nan=False) | st.floats(1e21, 1e300)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
addresses = st.none() | st.ip_addresses().map(str)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=texts,
    address=addresses,
    documents=st.tuples(*[st.none() | st.dictionaries(texts, values, max_size=4)] * 3),
    at=st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_whatever_was_recorded_verifies_when_read_back(
    chain: Actor,
    name: str,
    address: str | None,
    documents: tuple[dict[str, object] | None, ...],
    at: datetime,
) -> None:
    by = Actor("person", new_id(), "nia", name, chain.tenant_id, chain.tenant_slug, address=address)
    before, after, metadata = documents
    record(by=by, at=at, action="a.b", resource="r", before=before, after=after, metadata=metadata)
    assert verify_tenant(chain.tenant_id).broken is None


def test_events_of_one_transaction_are_ordered_as_given(chain: Actor) -> None:
    identifiers = record_many([entry(chain, at=AT + timedelta(seconds=second)) for second in range(3)])
    assert identifiers == sorted(identifiers)
