from django.db import models


class SignInThrottle(models.Model):
    """Attempts to sign in that count together under one key (stellapromote.identity.throttle); holds no names."""

    key = models.CharField(max_length=64, primary_key=True)
    attempts = models.PositiveIntegerField()
    last_at = models.DateTimeField()
    open_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="sign_in_throttle_by_age")]

    def __str__(self) -> str:
        return f"{self.attempts} attempts until {self.last_at:%Y-%m-%d %H:%M:%S}"
