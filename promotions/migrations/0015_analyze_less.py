"""ANALYZE of a million promotions took five seconds of processor time, and came after every 2,500 changes: for columns
that no query asks by, most of them wide. They have no statistics any more, and new ones come after every 20,000 changes
of a million. Vacuuming often stays: it costs milliseconds, because so few pages are touched."""

from django.db import migrations

NEVER_ASKED_BY = (
    "requested_by_username", "requested_by_name", "requested_with_token", "reason", "change", "manifest_digest",
    "requirements", "requirements_digest", "excluded_persons", "requesting_persons", "subject_digest", "subject",
    "earlier_subjects", "evidence_bundle_id", "evidence_bundle_digest", "status_reason", "status_detail", "gates",
    "blocked_by", "approvals_required", "approvals_given", "decision_id", "decision_sequence", "decision_fingerprint",
    "evidence_packet_id", "last_evaluated_at", "approval_ttl_seconds", "approval_expires_at", "approval_seconds_left",
    "approved_at", "version",
)  # fmt: skip


def _statistics(target: int) -> str:
    columns = ", ".join(f'ALTER COLUMN "{column}" SET STATISTICS {target}' for column in NEVER_ASKED_BY)
    return f"ALTER TABLE promotions_promotion {columns}"


class Migration(migrations.Migration):
    dependencies = [("promotions", "0014_vacuum_often")]

    operations = [
        migrations.RunSQL(_statistics(0), _statistics(-1)),
        migrations.RunSQL(
            "ALTER TABLE promotions_promotion SET (autovacuum_analyze_scale_factor = 0.02)",
            "ALTER TABLE promotions_promotion SET (autovacuum_analyze_scale_factor = 0.002)",
        ),
    ]
