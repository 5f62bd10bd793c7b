"""security: the vulnerability rules hold for the findings of reports in the release (domain.md §6;
docs/security-gate.md).

All versions have one judge (judging); the module of a version has its differences.
"""
