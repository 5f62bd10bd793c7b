import pytest

from environments.weakening import record_weakening
from policies.models import WeakeningEdit
from tests.environments.world import NOW


@pytest.mark.django_db
def test_a_sentence_that_is_too_long_is_cut(greta):
    record_weakening(["x" * 600], by=greta, at=NOW, environment_id=None)
    kept = WeakeningEdit.objects.get().what
    assert (len(kept), kept[-1]) == (500, "…")
