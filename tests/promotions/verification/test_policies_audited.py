"""Versions of policies are those that the audit log tells of."""

import pytest

from policies.actions.update_approval_policy import update_approval_policy
from promotions.verification.policies import check_policies
from tests.factories import make_approval_policy
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.story import found_in

pytestmark = pytest.mark.slow

PROMOTION, APPROVAL = "policies_promotionpolicyversion", "policies_approvalpolicyversion"
THIRD = "(SELECT id FROM accounts_user WHERE username = 'third')"
TEXT = "canonical = canonical || ' '::bytea, digest = 'sha256:' || encode(sha256(canonical || ' '::bytea), 'hex')"

CHANGES = [
    *(
        f"UPDATE {PROMOTION} SET {change}"
        for change in (
            TEXT, f"published_by_id = {THIRD}", "published_by_id = NULL",
            "published_at = published_at - interval '1 s'",
            f"published_with_token_issuer_id = {THIRD}", "version = version + 1",
        )
    ),
    f"UPDATE {PROMOTION} SET drafters = '{{}}' WHERE drafters <> '{{}}'",
    f"UPDATE {PROMOTION} SET drafted_by_id = {THIRD} WHERE published_by_id IS NOT NULL",
    *(
        f"UPDATE {APPROVAL} SET {change}"
        for change in (
            TEXT, f"created_by_id = {THIRD}", "created_at = created_at - interval '1 s'",
            f"created_with_token_issuer_id = {THIRD}", "version = version + 1",
        )
    ),
    f"DELETE FROM {PROMOTION} WHERE id = (SELECT id FROM {PROMOTION} LIMIT 1)",
    f"DELETE FROM {APPROVAL}",
    f"""INSERT INTO {PROMOTION} SELECT (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(),
        'version', 9))).* FROM {PROMOTION} o LIMIT 1""",
    "DELETE FROM audit_auditevent WHERE action = 'policy.published'",
    "UPDATE policies_promotionpolicy SET current_id = NULL",
]  # fmt: skip


@pytest.mark.parametrize("statement", CHANGES)
def test_a_changed_version_is_found(kestrel: Kestrel, tamper: Tampering, statement: str) -> None:
    tamper.run(statement)
    assert "POLICY_CHANGED" in {str(each.what) for each in check_policies(kestrel.tenant.pk)}


def test_a_policy_that_was_changed_and_switched_off_and_on_is_in_order(kestrel: Kestrel, tamper: Tampering) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    rules = [{"name": "anybody", "users": ["third"]}]
    policy = make_approval_policy(by, "switched", clock=clock, rules=rules)
    for changes, enabled in (({"description": "New"}, None), ({}, False), ({}, True), ({"description": "Old"}, None)):
        kestrel.wait()
        update_approval_policy(by=by, clock=clock, policy_id=policy.pk, changes=changes, used_by=(), enabled=enabled)
    assert check_policies(kestrel.tenant.pk) == []
    older = f"(SELECT id FROM {APPROVAL} WHERE policy_id = '{policy.pk}' AND version = 1)"
    tamper.run(f"UPDATE policies_approvalpolicy SET current_id = {older} WHERE name = 'switched'")
    assert sorted(found_in(kestrel)) == [
        (None, "POLICY_CHANGED", "policy switched"),
        (None, "SETTING_CHANGED", f"approval policy {policy.pk}"),
    ]
