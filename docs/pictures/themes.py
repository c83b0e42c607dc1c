"""The colors of the pictures, for light and for dark pages."""

from typing import NamedTuple

from rich.terminal_theme import TerminalTheme

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace"
"""Fonts that a machine has, because a picture must not load one from a network."""
SANS_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


class Theme(NamedTuple):
    """The colors for one kind of page."""

    name: str
    background: str
    text: str
    faint: str
    """Borders and less important text."""
    terminal: TerminalTheme


def _color(code: str) -> tuple[int, int, int]:
    """Turn `#rrggbb` into the numbers that Rich takes."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def _theme(name: str, background: str, text: str, faint: str, ansi_colors: str) -> Theme:
    """Build a theme. `ansi_colors` are black, red, green, yellow, blue, magenta, cyan and white."""
    colors = [_color(code) for code in ansi_colors.split()]
    terminal = TerminalTheme(_color(background), _color(text), colors)
    return Theme(name, background, text, faint, terminal)


THEMES = (
    _theme(
        "light",
        "#ffffff",
        "#1f2328",
        "#818b98",
        "#1f2328 #cf222e #116329 #7d4e00 #0550ae #8250df #1b7c83 #59636e",
    ),
    _theme(
        "dark",
        "#0d1117",
        "#e6edf3",
        "#7d8590",
        "#484f58 #ff7b72 #3fb950 #d29922 #58a6ff #bc8cff #39c5cf #b1bac4",
    ),
)
