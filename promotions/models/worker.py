from django.db import models


class WorkerHeartbeat(models.Model):
    """When each worker last finished a round; readiness reads it."""

    name = models.CharField(primary_key=True, max_length=100)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
