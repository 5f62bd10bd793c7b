"""The engines of the policy gate: their input, their calls, and the reading of their answers (docs/adr/0061, 0062)."""
