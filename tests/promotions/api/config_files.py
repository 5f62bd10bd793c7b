"""A file of policy as code with something in each section, and the calls that take it."""

from typing import Any

from tests.promotions.api.world import Caller

FILE = """\
schema: stella.config/v1
teams:
  - slug: release
  - slug: security
    displayName: Security
products:
  - slug: main
  - slug: shop
    description: |
      Carts

      and orders
    ownerTeams: [release]
    imageRepositories: [ghcr.io/acme/shop]
    path: [dev, staging, production]
imageRepositories: [ghcr.io/acme/base/*]
approvalPolicies:
  - name: two-person
    rules:
      - {name: release, teams: [release]}
      - {name: security, teams: [security], users: [mei]}
  - name: owners
    rules: [{name: owners, teams: ["@owners"]}]
promotionPolicies:
  - name: default
  - name: strict
    approvalTtl: 3600
    gates:
      - kind: dependency
        config: {targets: [{type: environment, environment: staging, state: not-frozen}]}
      - name: backup
        kind: manual
        config:
          text: The backup is complete
          confirmers: {users: [nia]}
environments:
  - {name: dev, displayName: Development, orderIndex: 1}
  - {name: staging, displayName: Staging, orderIndex: 2, autoPromoteFrom: dev}
  - name: production
    displayName: Production
    orderIndex: 3
    requiredApprovals: 2
    promotionPolicy: strict
    approvalPolicies: [two-person]
    productApprovalPolicies: [{name: owners, products: [shop]}]
    config: {variables: {REGION: eu}}
freezes:
  - name: New year
    environment: production
    start: 2098-12-31T00:00:00
    end: 2099-01-02T00:00:00
    timezone: Europe/Berlin
    reason: Nobody is there
  - {name: Audit, start: 2098-06-01T00:00:00Z, end: 2098-06-03T00:00:00Z, reason: Audit}
  - {name: Audit, start: 2098-06-01T00:00:00Z, end: 2098-06-02T00:00:00Z, reason: Audit, products: [shop]}
"""
YAML = {"Content_Type": "application/yaml"}


def plan(caller: Caller, text: str, **query: str) -> Any:
    response = caller.call("POST", f"config/plan{_query(query)}", raw=text.encode(), **YAML)
    assert response.status_code == 200, response.content
    answer = response.json()
    assert response.headers["ETag"] == answer["tag"]
    return answer


def apply(caller: Caller, text: str, **query: str) -> Any:
    """By the plan that is made at once."""
    tag = plan(caller, text, **query)["tag"]
    response = caller.call("POST", f"config/apply{_query(query)}", raw=text.encode(), If_Match=tag, **YAML)
    assert response.status_code == 200, response.content
    return response.json()


def export(caller: Caller) -> str:
    response = caller.call("GET", "config/yaml")
    assert response.status_code == 200, response.content
    return str(response.content.decode())


def outcomes(answer: Any) -> dict[str, str]:
    return {f"{each['kind']} {each['name']}": each["outcome"] for each in answer["changes"]}


def _query(query: dict[str, str]) -> str:
    return "".join(f"?{name}={value}" for name, value in query.items())
