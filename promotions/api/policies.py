"""Policies and gates, as far as they need facts from above: which environments they guard, who could approve, health."""

from typing import Any

from rest_framework.decorators import action

from environments.models import Environment
from policies import gates
from policies.actions.create_approval_policy import create_approval_policy
from policies.api.bodies import ApprovalPolicyBody, CheckBody, NewApprovalPolicyBody, in_wire_names
from policies.api.document_body import as_json_schema
from policies.api.resources import (
    ApprovalPolicyResource,
    ApprovalPolicyVersionResource,
    CheckResource,
    GateKindResource,
)
from policies.etags import approval_policy_tag
from policies.models import ApprovalPolicy
from policies.presenters import approval_policy_document, approval_version_document
from promotions.actions.retire_approval_policy import retire_approval_policy
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.approver_check import could_approve
from promotions.policy_use import environments_naming
from promotions.signing_key import current_key
from stellapromote.accounts.scopes import POLICY_READ, POLICY_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.lookup import get_or_404
