from collections.abc import Iterator

import pytest

from promotions import signing_key


@pytest.fixture(autouse=True)
def signing_key_is_registered_in_this_database() -> Iterator[None]:
    """A process registers its key once; here the row goes with each test's database."""
    signing_key.forget()
    yield
    signing_key.forget()
