"""policy: the team's own rule, written as CEL or Rego, allows the promotion (domain.md §6)."""
