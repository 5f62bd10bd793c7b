from django.db import models


class Blob(models.Model):
    """Content-addressed immutable bytes that records refer to by digest (domain.md §0). Append-only by trigger."""

    digest = models.CharField(primary_key=True, max_length=71)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.digest
