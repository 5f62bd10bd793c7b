from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models

from stellapromote.ids import new_id

PERSON_USERNAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SERVICE_USERNAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}\.[a-z0-9][a-z0-9-]{0,62}$"


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username=username)

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person or a machine that can be named in a record.

    Django's superuser and permission machinery is absent on purpose: being an administrator
    grants nothing in the product (product.md, Roles). Rights come from grants in a tenant.
    """

    class Kind(models.TextChoices):
        PERSON = "person"
        SERVICE = "service"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(
        max_length=127,
        unique=True,
        validators=[RegexValidator(f"{PERSON_USERNAME_PATTERN}|{SERVICE_USERNAME_PATTERN}")],
    )
    display_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.PERSON)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="person", username__regex=PERSON_USERNAME_PATTERN)
                | models.Q(kind="service", username__regex=SERVICE_USERNAME_PATTERN),
                name="user_username_fits_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.username})"

    def get_full_name(self) -> str:
        return self.display_name

    @property
    def first_name(self) -> str:
        """Read by libraries that greet people."""
        return self.display_name
