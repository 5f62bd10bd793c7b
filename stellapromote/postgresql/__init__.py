"""The embedded PostgreSQL (its lifecycle) and the database roles. Knows no Django and nothing of the product."""
