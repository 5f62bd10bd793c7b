"""security: the vulnerability rules hold for what reports find in the release (domain.md §6; docs/security-gate.md).

All versions have one judge (judging); the module of a version says what it does in its own way.
"""
