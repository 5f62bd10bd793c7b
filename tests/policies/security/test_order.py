"""Whatever the order of what is judged, the verdict has the same bytes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from stellapromote.signing.canonical_json import canonical_bytes
from tests.drawing import drawn
from tests.examples import examples
from tests.policies.security.drafts import Draft, case_of, drafts


@settings(max_examples=examples(150))
@given(drawn(drafts()), st.randoms(use_true_random=True))
def test_whatever_the_order_the_bytes_are_the_same(draft: Draft, order: random.Random) -> None:
    draft["twice"] = True
    before = canonical_bytes(case_of(draft).judged().as_json())
    assert canonical_bytes(case_of(draft, order).judged().as_json()) == before
