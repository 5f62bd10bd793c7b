from django.urls import path

from promotions.views import policies, proposals, simulation

urlpatterns = [
    path("policies", policies.policies, name="policies"),
    path("policies/approval/<uuid:policy_id>", policies.approval_policy, name="approval_policy"),
    path("policies/approval/<uuid:policy_id>/retire", policies.retire_approval_policy, name="retire_approval_policy"),
    path("policies/approval/<uuid:policy_id>/enable", policies.enable_approval_policy, name="enable_approval_policy"),
    path(
        "policies/approval/<uuid:policy_id>/disable", policies.disable_approval_policy, name="disable_approval_policy"
    ),
    path("proposals", proposals.proposals, name="proposals"),
    path("proposals/<uuid:proposal_id>", proposals.proposal, name="proposal"),
    path("proposals/<uuid:proposal_id>/confirm", proposals.confirm, name="confirm_proposal"),
    path("proposals/<uuid:proposal_id>/withdraw", proposals.withdraw, name="withdraw_proposal"),
    path("settings/members/<uuid:user_id>/rights", proposals.grant_right, name="settings_grant_scope"),
    path("policies/promotion/<slug:name>", policies.promotion_policy, name="promotion_policy"),
    path("policies/promotion/<slug:name>/simulate", simulation.simulate, name="simulate_promotion_policy"),
    path("policies/promotion/<slug:name>/publish", policies.publish, name="publish_promotion_policy"),
]
