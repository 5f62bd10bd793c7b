import gzip
import json
import random
from time import process_time
from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import EPSS, KEV, read, shared


def refused(kind: str, document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read(kind, document)
    return caught.value


def test_the_catalogue_says_since_when_each_cve_is_listed() -> None:
    answer = read("kev", KEV)
    assert answer["parsed"]["entries"] == [
        {"cve": "CVE-2025-0009", "dateAdded": "2025-02-03"},
        {"cve": "CVE-2026-0001", "dateAdded": "2026-10-01"},
    ]
    assert answer["generatedAt"] == "2026-11-01T17:00:00.000Z"


def test_a_catalogue_that_lost_entries_is_refused() -> None:
    assert refused("kev", {**KEV, "vulnerabilities": KEV["vulnerabilities"][:1]}).place == "$.count"


INCOMPLETE: list[tuple[dict[str, Any], str]] = [
    # nothing says that it is complete
    ({key: value for key, value in KEV.items() if key != "count"}, "$"),
    ({**KEV, "count": True, "vulnerabilities": KEV["vulnerabilities"][:1]}, "$.count"),
    # it would clear every finding
    ({**KEV, "count": 0, "vulnerabilities": []}, "$.vulnerabilities"),
    # an entry that no finding could be compared with
    (
        {**KEV, "vulnerabilities": [{**KEV["vulnerabilities"][0], "cveID": "CVE\u20132026-1"}]},
        "$.vulnerabilities[0].cveID",
    ),
]


@pytest.mark.parametrize(("catalogue", "place"), INCOMPLETE)
def test_a_catalogue_that_may_have_lost_something_is_refused(catalogue: dict[str, Any], place: str) -> None:
    assert refused("kev", catalogue).place == place


def test_a_second_catalogue_after_the_first_is_refused() -> None:
    refused("kev", json.dumps(KEV).encode() * 2)


def test_of_an_entry_that_stands_twice_the_earlier_day_counts() -> None:
    entry = {"cveID": "cve-2026-0001", "dateAdded": "2026-09-01"}
    catalogue = {**KEV, "count": 3, "vulnerabilities": [*KEV["vulnerabilities"], entry]}
    assert read("kev", catalogue)["parsed"]["entries"][1] == {"cve": "CVE-2026-0001", "dateAdded": "2026-09-01"}


def test_a_date_that_is_none_is_refused_at_its_place() -> None:
    entries = [{"cveID": "CVE-2026-0001", "dateAdded": "01.10.2026"}]
    assert refused("kev", {**KEV, "count": 1, "vulnerabilities": entries}).place == "$.vulnerabilities[0].dateAdded"


def test_the_real_catalogue_has_all_its_entries() -> None:
    assert read("kev", shared("kev/known_exploited_vulnerabilities.json"))["summary"] == {"entries": 1404}


@pytest.mark.parametrize("packed", [False, True])
def test_scores_are_read_plain_and_compressed(packed: bool) -> None:
    answer = read("epss", gzip.compress(EPSS) if packed else EPSS)
    assert answer["parsed"]["scores"] == [
        {"cve": "CVE-2025-0009", "epss": 0.00043},
        {"cve": "CVE-2026-0001", "epss": 0.91234},
    ]
    assert answer["generatedAt"] == "2026-11-01T00:00:00.000Z"


PARTS = [EPSS[:90], EPSS[90:]]


def test_a_file_that_was_packed_in_parts_is_read_whole() -> None:
    packed = b"".join(map(gzip.compress, PARTS))
    assert read("epss", packed)["summary"] == {"entries": 2}


def test_a_file_that_bgzip_packed_ends_in_an_empty_part() -> None:
    assert read("epss", gzip.compress(EPSS) + gzip.compress(b""))["summary"] == {"entries": 2}


def test_the_real_file_of_two_parts_is_read_whole() -> None:
    assert read("epss", shared("real-min/13-epss-gzip-of-two-members/epss.csv.gz"))["summary"] == {"entries": 2}


def test_parts_larger_than_a_piece_are_read_whole() -> None:
    noise = random.Random(7)  # noqa: S311
    rows = "".join(f"CVE-2026-{number:07},0.{noise.randrange(10**15)},0.5\n" for number in range(20_000)).encode()
    packed = gzip.compress(EPSS) + gzip.compress(rows)
    assert len(packed) > 3 * 64 * 1024
    assert read("epss", packed)["summary"] == {"entries": 20_002}


BROKEN: dict[str, tuple[bytes, str]] = {
    "the second part is cut off": (gzip.compress(EPSS) + gzip.compress(EPSS)[:-9], "cut off"),
    "plain text follows": (gzip.compress(EPSS) + EPSS, "other data follows"),
    "zeros follow": (gzip.compress(EPSS) + b"\0" * 512, "other data follows"),
    "half a mark follows": (gzip.compress(EPSS) + b"\x1f", "other data follows"),
    "a mark and nothing else follows": (gzip.compress(EPSS) + b"\x1f\x8b", "cut off"),
    "the second part is damaged": (gzip.compress(EPSS) + b"\x1f\x8b" + b"\xff" * 30, "damaged"),
    "the parts are too large together": (2 * gzip.compress(b"\n" * (17 * 1024 * 1024)), "unpacks to more"),
    "a hundred thousand empty parts": (100_000 * gzip.compress(b""), "parts"),
}


@pytest.mark.parametrize(("packed", "words"), BROKEN.values(), ids=BROKEN)
def test_a_packed_file_that_is_not_whole_is_refused(packed: bytes, words: str) -> None:
    started = process_time()
    assert words in refused("epss", packed).message
    assert process_time() - started < 3


def test_a_file_without_scores_is_refused() -> None:
    assert refused("epss", b"".join(EPSS.splitlines(keepends=True)[:2])).place == "line 3"


def test_a_file_that_unpacks_to_more_than_32_mib_is_refused() -> None:
    assert "unpacks" in refused("epss", gzip.compress(EPSS + b"\n" * (33 * 1024 * 1024))).message


def test_a_packed_file_that_was_cut_off_is_refused() -> None:
    assert "cut off" in refused("epss", gzip.compress(EPSS * 100)[:-20]).message


@pytest.mark.parametrize(
    "row", [b"CVE-2026-0001,1.5,0.9", b"CVE-2026-0001,,0.9", b"x,0.5,0.5", b"CVE-2026-0001,nan,1", b""]
)
def test_a_row_that_is_none_is_refused_with_its_line(row: bytes) -> None:
    assert refused("epss", EPSS + row + b"\n").place == "line 5"


def test_another_csv_is_refused() -> None:
    assert refused("epss", b"a,b\n1,2\n").place == "line 1"


def test_a_catalogue_is_no_epss_file() -> None:
    refused("epss", json.dumps(KEV).encode())


@pytest.mark.parametrize(("kind", "document"), [("kev", json.dumps(KEV).encode()), ("epss", EPSS)])
def test_a_feed_with_a_byte_order_mark_says_the_same(kind: str, document: bytes) -> None:
    assert read(kind, b"\xef\xbb\xbf" + document) == read(kind, document)
    if kind == "epss":
        assert read(kind, gzip.compress(b"\xef\xbb\xbf" + document)) == read(kind, document)


@pytest.mark.parametrize(("kind", "document"), [("kev", json.dumps(KEV)), ("epss", EPSS.decode())])
def test_a_feed_in_utf_16_is_refused_with_what_to_do(kind: str, document: str) -> None:
    assert "save it as UTF-8" in refused(kind, document.encode("utf-16")).message
