"""The vulnerability rules of the security gate (domain.md §6): pure, one module for each rule."""
