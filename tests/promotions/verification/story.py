"""One tenant with everything that evidence is made of, and what a verification finds in it."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from environments.actions.update_environment import update_environment
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.releases import ComponentSpec
from promotions.actions.trust_key import trust_key
from promotions.models import Promotion, Release
from promotions.verification.documents import KINDS, VerifiedDigests, check_documents
from promotions.verification.mismatch import Mismatch
from promotions.verification.numbers import check_numbers
from promotions.verification.policies import check_policies
from promotions.verification.rows import ROWS_OF_SYSTEM, ROWS_OF_TENANT
from promotions.verification.walk import all_promotions
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.recorded_rows import recorded_models
from tests.factories import actor_of, make_promotion_policy
from tests.kept import kept
from tests.promotions.formats.samples import cyclonedx, statement
from tests.promotions.judging.test_security_on_real_reports import real
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer, feed, uploaded

ARTIFACT = "sha256:" + "5" * 64
GATE = {
    "name": "cve",
    "kind": "security",
    "config": {"rules": {"release-aggregate-cve": {}, "kev-blocker": {}}, "trustedUploaders": ["operator"]},
    "override": {"by": ["third"]},
}
EVIDENCE = tuple(kind for kind in KINDS if kind not in ROWS_OF_TENANT)
"""The kinds that are no rows of settings."""
READ_FOR_ROWS = {
    *("audit_auditevent", "audit_auditlink"),
    *(model._meta.db_table for model in recorded_models(UUID(int=1))),
}
"""The tables that are read to verify rows of settings (test_rows.py)."""
SOURCE = {"repository": "https://git.example/app", "commitSha": "ab" * 20, "branch": "main", "authors": ["builder"]}


@kept
def make_story() -> Kestrel:
    """Numbers: 1 deployed in dev, 2 in staging, 3 approved for production by two people, 4 in dev, 5 rejected in
    staging by one person, 6 with findings in a report that a third person overrode,
    and an SBOM that a trusted key signed."""
    kestrel = make_kestrel()
    kestrel.approved_for_production(source_ref=SOURCE)
    kestrel.rejects("approver", kestrel.ask(_in_dev(kestrel), kestrel.staging))
    _overridden(kestrel)
    return kestrel


def _in_dev(kestrel: Kestrel) -> Release:
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return release


def _overridden(kestrel: Kestrel) -> None:
    admin, clock = kestrel["admin"], kestrel.clock
    kestrel.wait(hours=1)
    entry = {"cveID": "CVE-2000-0001", "dateAdded": "2020-01-01"}
    released = clock.now().isoformat()
    listed = {"catalogVersion": "1", "dateReleased": released, "count": 1, "vulnerabilities": [entry]}
    feed(admin, "kev", listed, clock=clock)
    make_promotion_policy(admin, "scanned", clock=clock, gates=[GATE])
    update_environment(by=admin, clock=clock, environment_id=kestrel.dev.pk, changes={"promotion_policy": "scanned"})
    third = kestrel["third"].account
    grant_scope(by=admin, clock=clock, user_id=third, scope=PROMOTION_OVERRIDE, reason="On call")
    kestrel.actors["third"] = actor_of(User.objects.get(pk=third), kestrel.tenant)
    uploaded(kestrel["operator"], ARTIFACT, "vulnerabilities", real("trivy/alpine-39.json"), clock=clock)
    signer = Signer()
    trust_key("ci", signer.pem, by=admin, clock=clock)
    sbom = signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx(), ARTIFACT))
    assert uploaded(kestrel["operator"], ARTIFACT, "sbom", sbom, clock=clock).signer
    release = kestrel.release(components=[ComponentSpec("app", "registry.example/app", ARTIFACT)])
    promotion = kestrel.ask(release, kestrel.dev)
    kestrel.wait()
    override_request = OverrideRequest(
        "cve", "musl is not reachable", "INC-7", clock.now() + timedelta(hours=4), promotion.decision_id
    )
    override_gate(promotion.pk, override_request, by=kestrel["third"], clock=clock)


def found_in(kestrel: Kestrel, kinds: Iterable[str] = KINDS) -> list[tuple[int | None, str, str]]:
    """What a verification of everything finds: number of the promotion, what, and the thing. ``kinds``: of what does
    not belong to one promotion, beside policies and numbers."""
    fitting = VerifiedDigests()
    found = promotions_found(kestrel, fitting)
    of_tenant = check_numbers(kestrel.tenant.pk) + check_policies(kestrel.tenant.pk)
    of_tenant += [each for kind in kinds for each in kind_found(kestrel.tenant.pk, kind, fitting)]
    return [*found, *((None, str(each.what), each.place) for each in of_tenant)]


def kind_found(tenant_id: UUID | None, kind: str, fitting: VerifiedDigests | None = None) -> list[Mismatch]:
    """What a verification of one kind alone finds."""
    fitting, found = fitting or VerifiedDigests(), list[Mismatch]()
    after: UUID | None = UUID(int=0)
    while after is not None:
        after, more = check_documents(tenant_id, kind, after, fitting)
        found += more
    return found


def promotions_found(kestrel: Kestrel, fitting: VerifiedDigests | None = None) -> list[tuple[int | None, str, str]]:
    """As `found_in`, of the promotions alone."""
    return [
        (promotion.number, str(each.what), each.place)
        for batch in all_promotions(kestrel.tenant.pk, fitting or VerifiedDigests())
        for promotion, mismatches in batch
        for each in mismatches
    ]


Changed = TypeVar("Changed", bound=tuple[Any, ...])


def apart(changes: Iterable[Changed], numbers: Callable[[Changed], set[int | None]]) -> list[list[Changed]]:
    """The changes in groups, in their order. In each group every promotion is changed by one of them, so that a finding
    is of that one."""
    groups: list[list[Changed]] = []
    for change in changes:
        fits = (group for group in groups if all(numbers(change).isdisjoint(numbers(other)) for other in group))
        group = next(fits, None)
        if group is None:
            groups.append([change])
        else:
            group.append(change)
    return groups


def found_after(statement: str, kestrel: Kestrel) -> list[tuple[int | None, str, str]]:
    """As `found_in`; without the kinds that read none of the tables in a statement, so that it cannot change what they
    find."""
    read_for_rows = any(table in statement for table in READ_FOR_ROWS)
    return found_in(kestrel, KINDS if read_for_rows else EVIDENCE)


def rows_found(tenant_id: UUID | None, kinds: Iterable[str] | None = None) -> list[str]:
    """The rows of settings of the tenant, or the accounts, that are not those of the audit log."""
    kinds = kinds or (ROWS_OF_SYSTEM if tenant_id is None else ROWS_OF_TENANT)
    return [f"{each.place}: {each.message}" for kind in kinds for each in kind_found(tenant_id, kind)]


def numbered(number: int) -> Promotion:
    return Promotion.objects.get(number=number)
