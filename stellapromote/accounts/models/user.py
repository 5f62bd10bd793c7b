from collections.abc import Mapping
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.core.validators import RegexValidator
from django.db import models

from stellapromote.ids import new_id
from stellapromote.patterns import USERNAME
from stellapromote.recorded_rows import RecordedRow

SERVICE_USERNAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}\.[a-z0-9][a-z0-9-]{0,62}$"


class User(RecordedRow, AbstractBaseUser):
    """A person or a machine that can be named in a record.

    Django's superuser and permission machinery is absent on purpose: being an administrator
    grants nothing in the product (product.md, Roles). Rights come from grants in a tenant.

    ``second_factor`` names what the person has set up, of which the secret is elsewhere; None: nothing.
    """

    NOT_RECORDED: ClassVar[Mapping[str, str]] = {
        "last_login": "only ends links for a new password",
        "time_zone": "only for the times that the person is shown",
    }
    TENANT_PATH: ClassVar[str | None] = None

    class Kind(models.TextChoices):
        PERSON = "person"
        SERVICE = "service"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(
        max_length=127,
        unique=True,
        validators=[RegexValidator(f"{USERNAME}|{SERVICE_USERNAME_PATTERN}")],
    )
    display_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.PERSON)
    second_factor = models.UUIDField(null=True, editable=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField()
    time_zone = models.CharField(max_length=64, default="UTC", db_default="UTC")

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    password_is_outdated = False

    objects = BaseUserManager["User"]()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="person", username__regex=USERNAME)
                | models.Q(kind="service", username__regex=SERVICE_USERNAME_PATTERN),
                name="user_username_fits_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.username})"

    def get_full_name(self) -> str:
        return self.display_name

    def check_password(self, raw_password: str | None) -> bool:
        """Stores nothing, where Django would write the password in its newest form: that is an action with its event.
        ``password_is_outdated`` says then that it is due."""

        def note(_: str) -> None:
            self.password_is_outdated = True

        return check_password(raw_password, self.password, note)
