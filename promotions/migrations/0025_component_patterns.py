from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """What stands in a component's name, repository and tag: for what is written from now on, without a look at the
    rows that are there."""

    dependencies = [("promotions", "0024_worker_failures")]

    operations = [
        AddConstraintNotValid(
            model_name="component",
            constraint=models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"), name="component_name_pattern"
            ),
        ),
        AddConstraintNotValid(
            model_name="component",
            constraint=models.CheckConstraint(
                condition=Q(image_repository__regex=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"),
                name="component_repository_pattern",
            ),
        ),
        AddConstraintNotValid(
            model_name="component",
            constraint=models.CheckConstraint(
                condition=Q(tag="") | Q(tag__regex=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"), name="component_tag_pattern"
            ),
        ),
    ]
