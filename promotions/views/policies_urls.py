from django.urls import path

from promotions.views import policies, simulation

urlpatterns = [
    path("policies", policies.policies, name="policies"),
    path("policies/approval/<uuid:policy_id>", policies.approval_policy, name="approval_policy"),
    path("policies/approval/<uuid:policy_id>/retire", policies.retire_approval_policy, name="retire_approval_policy"),
    path("policies/approval/<uuid:policy_id>/enable", policies.enable_approval_policy, name="enable_approval_policy"),
    path(
        "policies/approval/<uuid:policy_id>/disable", policies.disable_approval_policy, name="disable_approval_policy"
    ),
    path("policies/promotion/<slug:name>", policies.promotion_policy, name="promotion_policy"),
    path("policies/promotion/<slug:name>/simulate", simulation.simulate, name="simulate_promotion_policy"),
    path("policies/promotion/<slug:name>/publish", policies.publish, name="publish_promotion_policy"),
]
