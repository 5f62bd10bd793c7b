"""What code and documents cite of the design is there (docs/design/README.md)."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DESIGN = {path.stem: path.read_text() for path in (ROOT / "docs/design").glob("*.md") if path.stem != "README"}
#: `domain.md §5, vouched for`, `contract.md, tokens`: the file, its sections, the words of a place in it.
CITED = re.compile(
    rf"(?<![/\w\[])(?P<file>{'|'.join(DESIGN)})\.md"
    r"(?P<sections>(?:,? (?:and |to )?§\d+[a-z]?)*)"
    r"(?:, (?P<words>[\w/{}' -]+))?"
)


def citations() -> Iterator[tuple[str, re.Match[str]]]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split():
        if (
            name != "tests/meta/test_design.py"
            and name.endswith((".py", ".html", ".md", ".css", ".js", ".toml"))
            and (ROOT / name).exists()
        ):
            text = re.sub(r"\n\s*(?:#|\*|//)? ?", " ", (ROOT / name).read_text())
            for found in CITED.finditer(text):
                yield name, found


def missing(file: str, sections: str, words: str | None) -> list[str]:
    text = DESIGN[file]
    lacks = [each for each in re.findall(r"§(\d+[a-z]?)", sections) if f"\n## {each}. " not in text]
    if words is None or words.startswith(("docs/", "adr/")):
        return lacks
    number = re.fullmatch(r"(?:writing )?(?:rule |principle )?(\d+)", words)
    there = f"\n{number[1]}. " in text if number else words.strip().lower() in text.lower()
    return lacks if there else [*lacks, words]


def test_every_section_that_is_cited_is_there() -> None:
    cited = list(citations())
    assert len(cited) > 400
    lacking = [
        f"{name}: {found[0]}" for name, found in cited if missing(found["file"], found["sections"], found["words"])
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("cited", "lacks"),
    [
        ("domain.md §5, §6", []),
        ("domain.md §1b", []),
        ("domain.md §17", ["17"]),
        ("contract.md, tokens", []),
        ("contract.md, tickets", ["tickets"]),
        ("domain.md §5, docs/adr/0184", []),
    ],
)
def test_a_section_that_is_not_there_is_missed(cited: str, lacks: list[str]) -> None:
    found = CITED.fullmatch(cited)
    assert found is not None
    assert missing(found["file"], found["sections"], found["words"]) == lacks


def test_numbers_of_decisions_are_unique() -> None:
    names = [path.name for path in (ROOT / "docs/adr").glob("*.md")]
    numbers = [name[:4] for name in names]
    assert [name for name in names if numbers.count(name[:4]) > 1] == []
    titles = {path.name[:4]: path.read_text().splitlines()[0] for path in (ROOT / "docs/adr").glob("*.md")}
    assert [title for number, title in titles.items() if not title.startswith(f"# {int(number)}. ")] == []


DECISION = re.compile(r"docs/adr/(\d{4})|\bADR \[?(\d+)|\]\((?:\.\./)?(?:docs/)?adr/(\d{4})-")


def test_every_decision_that_is_cited_is_there() -> None:
    there = {int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md")}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [
        name for name in listed.split() if name.endswith((".py", ".html", ".md", ".toml")) and (ROOT / name).exists()
    ]
    cited = [
        (name, int(next(filter(None, found))))
        for name in names
        for found in DECISION.findall((ROOT / name).read_text())
    ]
    assert len(cited) > 250
    assert [each for each in cited if each[1] not in there] == []
