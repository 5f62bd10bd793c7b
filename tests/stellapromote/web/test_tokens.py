"""WCAG contrast of the colours in static/css/tokens.css, computed for every pair that the style sheets put together."""

import re

import pytest
from django.conf import settings

TOKENS = (settings.BASE_DIR / "static/css/tokens.css").read_text()
PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS)
}
SURFACES = ("surface", "surface-raised", "surface-sunken", "surface-hover")
TONES = ("go", "care", "stop", "motion", "rest", "accent")

TEXT = (
    [("ink", surface) for surface in SURFACES]
    + [("ink-muted", surface) for surface in SURFACES]
    + [("accent", surface) for surface in SURFACES]
    + [("accent-strong", surface) for surface in SURFACES]
    + [(tone, surface) for tone in TONES for surface in SURFACES]
    + [(tone, f"{tone}-soft") for tone in TONES]
    + [("ink", f"{tone}-soft") for tone in TONES]
    + [("stop-strong", "stop-soft"), ("stop-strong", "surface-raised")]
    + [("on-accent", "accent"), ("on-accent", "accent-strong"), ("on-stop", "stop"), ("on-stop", "stop-strong")]
)
# Edges of controls and the focus ring: 3 to 1 against what is around them.
EDGES = [(edge, surface) for edge in ("line-strong", "accent", "go", "stop") for surface in SURFACES[:3]]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "surface"), TEXT, ids=lambda name: str(name))
def test_text_has_the_contrast_of_level_aa(ink: str, surface: str, theme: int) -> None:
    assert contrast(PAIRS[ink][theme], PAIRS[surface][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "surface"), EDGES, ids=lambda name: str(name))
def test_edges_of_controls_stand_out(edge: str, surface: str, theme: int) -> None:
    assert contrast(PAIRS[edge][theme], PAIRS[surface][theme]) >= 3


def test_colours_are_written_in_the_tokens_only() -> None:
    own = [path for path in (settings.BASE_DIR / "static/css").glob("*.css") if path.name != "tokens.css"]
    found = {path.name: re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", path.read_text()) for path in own}
    assert found == {path.name: [] for path in own}
