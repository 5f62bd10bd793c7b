from django.db import migrations

# What an older version dated by the clock of a process that was ahead (docs/adr/0173). Of a promotion only the marks by
# which it is judged and ordered: what was decided and when stands in its records, packets and the audit log, untouched.
# Starts and ends that lie ahead keep their order, which says what runs and what may be rolled back.
_AHEAD = """
UPDATE promotions_promotion SET last_evaluated_at = date_trunc('milliseconds', clock_timestamp())
  WHERE last_evaluated_at > clock_timestamp();
WITH ahead AS (
  SELECT id, 'started' AS what, started_at AS at, number FROM promotions_promotion WHERE started_at > now()
  UNION ALL
  SELECT id, 'completed', completed_at, number FROM promotions_promotion WHERE completed_at > now()
), moved AS (
  SELECT id, what, date_trunc('milliseconds', now()) - (row_number() OVER (ORDER BY at DESC, number DESC, what) - 1) * interval '1 ms' AS at
  FROM ahead
)
UPDATE promotions_promotion p SET
  started_at = coalesce(m.started_at, p.started_at), completed_at = coalesce(m.completed_at, p.completed_at)
FROM (
  SELECT id, max(at) FILTER (WHERE what = 'started') AS started_at, max(at) FILTER (WHERE what = 'completed') AS completed_at
  FROM moved GROUP BY id) m
WHERE m.id = p.id;
UPDATE promotions_promotioncounter SET last_requested_at = date_trunc('milliseconds', clock_timestamp())
  WHERE last_requested_at > clock_timestamp();
"""


class Migration(migrations.Migration):
    """Nothing that a decision rests on is dated ahead of the database (domain.md §0)."""

    dependencies = [("promotions", "0034_feed_entries_stay")]

    operations = [
        migrations.RunSQL(_AHEAD, migrations.RunSQL.noop),
    ]
