"""The engines of the policy gate: what is asked, who answers, and how an answer is read (docs/adr/0061, 0062)."""
