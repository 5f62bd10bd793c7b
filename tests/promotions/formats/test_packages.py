"""Package URLs in their normal form: the short way gives what the field's library gives."""

import contextlib
from time import process_time

import pytest
from hypothesis import given
from packageurl import PackageURL

from promotions.formats.packages import image_digest, is_image, made_purl, normal_purl
from promotions.formats.reading import DocumentRefused
from tests import drawing
from tests.drawing import drawn
from tests.promotions.formats.samples import ARTIFACT

TYPES = ["deb", "rpm", "maven", "golang", "gem", "nuget", "generic", "npm", "pypi", "apk", "oci", "github", "pub"]
PIECES = ["a", "B", "1", ".", "..", "-", "_", "~", "+", "%2B", "%2b", "%3A", "%40", "%2F", "%25", "%20", ":", "=", "é"]
SEPARATORS = ["/", "@", "?", "&", "#", " ", "//", "?a=1", "?b=1&a=2", "?arch=amd64&distro=debian-12", "&a=1"]


TEXTS = drawing.tuples(
    drawing.sampled_from(TYPES),
    drawing.lists(drawing.sampled_from([*PIECES, *SEPARATORS]), min_size=1, max_size=9).map("".join),
).map(lambda parts: "pkg:{}/{}".format(*parts))


@given(drawn(drawing.lists(TEXTS, min_size=20, max_size=20)))
def test_the_normal_form_is_that_of_the_library(texts: list[str]) -> None:
    for text in texts:
        try:
            expected = PackageURL.from_string(text).to_string()
        except (ValueError, TypeError):
            with pytest.raises(DocumentRefused):
                normal_purl(text, "$")
        else:
            assert normal_purl(text, "$") == expected


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("pkg:npm/%40angular/core@1.0.0", "pkg:npm/%40angular/core@1.0.0"),
        # a plus may be written either way
        ("pkg:deb/debian/g++@12-1+deb12", "pkg:deb/debian/g%2B%2B@12-1%2Bdeb12"),
        # a colon and, among the qualifiers, a slash stand for themselves
        ("pkg:rpm/a@1%3A2?upstream=b%2Fc", "pkg:rpm/a@1:2?upstream=b/c"),
        # types whose names have one case
        ("pkg:pypi/Django_Rest@1", "pkg:pypi/django-rest@1"),
        ("pkg:deb/debian/a@1?distro=b&arch=c", "pkg:deb/debian/a@1?arch=c&distro=b"),
    ],
)
def test_one_package_has_one_text(text: str, normal: str) -> None:
    assert normal_purl(text, "$") == normal


@pytest.mark.parametrize("rest", ["a" * 990 + "!", "a/" * 490 + "!", "%2B" * 330 + "!", "a?" + "a=%2F" * 190 + "!"])
def test_no_text_takes_long(rest: str) -> None:
    started = process_time()
    with contextlib.suppress(DocumentRefused):
        normal_purl(f"pkg:deb/{rest}", "$")
    assert process_time() - started < 0.05


@pytest.mark.parametrize("text", ["a-purl-1", "pkg:", "pkg:deb/", "pkg:deb/%2F", "pkg:npm/a?b", "pkg:1/a"])
def test_what_names_no_package_is_refused(text: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        normal_purl(text, "$.purl")
    assert caught.value.place == "$.purl"


@pytest.mark.parametrize("name", ["", "/", "//"])
def test_no_package_is_made_without_a_name(name: str) -> None:
    assert made_purl("deb", "debian", name, "1") is None


WORDS = drawing.lists(drawing.sampled_from("aB1._-~+%2@/:é"), max_size=5).map("".join)
MADE = drawing.tuples(drawing.sampled_from(["deb", "npm", "golang", "maven"]), WORDS, WORDS, WORDS)


@given(drawn(drawing.lists(MADE, min_size=10, max_size=10)))
def test_a_made_package_is_what_the_library_makes(packages: list[tuple[str, str, str, str]]) -> None:
    for kind, namespace, name, version in packages:
        with contextlib.suppress(ValueError, TypeError):
            by_library = PackageURL(kind, namespace or None, name, version or None).to_string()
            assert made_purl(kind, namespace or None, name, version or None) == by_library


def test_an_image_is_named_by_its_digest() -> None:
    purl = normal_purl(f"pkg:oci/app@{ARTIFACT.replace(':', '%3A')}?repository_url=example.test/app", "$")
    assert image_digest(purl) == ARTIFACT
    assert is_image(purl)


@pytest.mark.parametrize("text", ["pkg:oci/app@1.0", "pkg:oci/app", f"pkg:generic/app@{ARTIFACT}"])
def test_what_names_no_digest_of_an_image_has_none(text: str) -> None:
    assert image_digest(normal_purl(text, "$")) is None
