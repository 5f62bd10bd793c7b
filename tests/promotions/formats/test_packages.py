"""Package URLs: what is taken as normal without the library is what the library makes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from promotions.formats.packages import _is_normal, normal_purl

TYPES = st.sampled_from(
    ["apk", "cargo", "deb", "gem", "generic", "golang", "maven", "npm", "nuget", "rpm", "pypi", "github", "oci", "DEB"]
)
PART = st.text("aB0._-~+%@:", min_size=1, max_size=5)
QUALIFIERS = st.lists(st.tuples(st.sampled_from(["arch", "distro", "Arch", "epoch", "a_b"]), PART), max_size=3)


@st.composite
def purls(draw: st.DrawFn) -> str:
    parts = draw(st.lists(PART, min_size=1, max_size=3))
    qualifiers = "&".join(f"{name}={value}" for name, value in draw(QUALIFIERS))
    version = draw(st.none() | PART)
    return (
        f"pkg:{draw(TYPES)}/{'/'.join(parts)}"
        + (f"@{version}" if version else "")
        + (f"?{qualifiers}" if qualifiers else "")
    )


@given(text=purls())
@settings(max_examples=2_000)
def test_what_is_taken_as_normal_is_what_the_library_makes_of_it(text: str) -> None:
    if _is_normal(text):
        assert PackageURL.from_string(text).to_string() == text


NORMAL: list[tuple[str, str]] = [
    # as scanners write them
    ("pkg:deb/debian/a@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/a@3.0.11-1?arch=amd64&distro=debian-12"),
    # qualifiers in another order
    ("pkg:deb/debian/a@1?distro=debian-12&arch=amd64", "pkg:deb/debian/a@1?arch=amd64&distro=debian-12"),
    # a name that the type writes small
    ("pkg:pypi/Django_Rest@1", "pkg:pypi/django-rest@1"),
    # what has to be encoded
    ("pkg:apk/alpine/g++@1", "pkg:apk/alpine/g%2b%2b@1"),
    # the same qualifier twice is one
    ("pkg:deb/debian/a@1?arch=x", "pkg:deb/debian/a@1?arch=x"),
]


@pytest.mark.parametrize(("text", "expected"), NORMAL)
def test_a_package_has_one_normal_form(text: str, expected: str) -> None:
    assert normal_purl(text, "$") == expected
