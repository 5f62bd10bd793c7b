from django.db import models
from django.db.models import Q

from promotions.models.document import EvidenceBundle, EvidenceDocument, Feed
from stellapromote.ids import new_id


class DocumentReading(models.Model):
    """The reading of a document by a newer ``reader`` than the first one (domain.md §6). Append-only.

    ``refused``: the reason why the newer reader does not take it; then ``parsed`` is null, and the document counts as
    missing. ``binds``: it names the artifact by digest, so that a signature over it counts.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    document = models.ForeignKey(EvidenceDocument, on_delete=models.PROTECT, related_name="readings", db_index=False)
    reader = models.SmallIntegerField()
    parsed = models.ForeignKey(
        "promotions.Blob", null=True, on_delete=models.PROTECT, related_name="+", db_column="parsed_digest"
    )
    summary = models.JSONField()
    generated_at = models.DateTimeField(null=True)
    about = models.CharField(max_length=71, blank=True)
    binds = models.BooleanField()
    refused = models.CharField(max_length=1000, blank=True)
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "reader"], name="document_reading_once"),
            models.CheckConstraint(
                condition=Q(refused="", parsed__isnull=False) | (~Q(refused="") & Q(parsed=None)),
                name="document_reading_read_or_refused",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} by reader {self.reader}"


class BundleReading(models.Model):
    """The record that ``reader`` has read all documents of a bundle. ``read_as`` is the bundle of these readings: the
    same one when every reading is the same. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    bundle = models.ForeignKey(EvidenceBundle, on_delete=models.PROTECT, related_name="readings", db_index=False)
    reader = models.SmallIntegerField()
    read_as = models.ForeignKey(EvidenceBundle, on_delete=models.PROTECT, related_name="+", db_index=False)
    read_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bundle", "reader"], name="bundle_reading_once")]

    def __str__(self) -> str:
        return f"{self.bundle_id} by reader {self.reader}"


class FeedReading(models.Model):
    """The record that the entries of a feed are those that ``reader`` read in it. Append-only.

    ``refused``: the reason why the reader does not take the feed, which then counts as missing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="readings", db_index=False)
    reader = models.SmallIntegerField()
    entry_count = models.IntegerField()
    refused = models.CharField(max_length=1000, blank=True)
    read_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "reader"], name="feed_reading_once")]

    def __str__(self) -> str:
        return f"{self.feed_id} by reader {self.reader}"
