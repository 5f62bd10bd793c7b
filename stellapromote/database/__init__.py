"""Connections to PostgreSQL: where it is, how long it may keep a call waiting, what its errors mean."""
