"""What the database refuses of a component by itself (docs: domain.md §3)."""

import pytest
from django.db import IntegrityError, transaction

from promotions.models import Component
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.django_db

SOUND = {"name": "team/app-1.x_y", "image_repository": "registry.example:5000/team/app", "tag": "_v1.2-rc.3"}


@pytest.mark.parametrize(
    ("field", "text", "constraint"),
    [
        ("name", "", "component_name_pattern"),
        ("name", "two words", "component_name_pattern"),
        ("name", "/rooted", "component_name_pattern"),
        ("name", "app\n", "component_name_pattern"),
        ("image_repository", "", "component_repository_pattern"),
        ("image_repository", "registry.example/app@sha256", "component_repository_pattern"),
        ("image_repository", "registry.example/ app", "component_repository_pattern"),
        ("tag", "-latest", "component_tag_pattern"),
        ("tag", "a/b", "component_tag_pattern"),
    ],
)
def test_a_text_that_breaks_its_pattern_is_refused(field: str, text: str, constraint: str) -> None:
    release = make_kestrel().release(finalize=False, components=[])
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Component.objects.create(release=release, **{**SOUND, field: text})
    assert Component.objects.create(release=release, **SOUND)
    assert Component.objects.create(release=release, **{**SOUND, "name": "b", "tag": ""})
