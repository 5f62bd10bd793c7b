"""evidence: each artifact has the required documents, signed by trusted keys and young enough (domain.md §6).

All versions have one judge (judging); the module of a version has its differences.
"""
