"""Canonical bytes, digests, signatures and keys (domain.md §0 and §8). Pure: no Django, no settings, no network."""
