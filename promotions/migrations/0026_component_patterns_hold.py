from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """The components that are there follow the patterns, too: only the API and the form, which ask, wrote any."""

    dependencies = [("promotions", "0025_component_patterns")]

    operations = [
        ValidateConstraint(model_name="component", name=name)
        for name in ("component_name_pattern", "component_repository_pattern", "component_tag_pattern")
    ]
