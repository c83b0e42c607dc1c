"""Draws the message about a rejected version, as a phone shows it."""

import textwrap
from html import escape

from docs import messages
from docs.pictures.themes import SANS_FONT, Theme

COLUMNS = 48
LINE_HEIGHT = 19
SHOWN_LINES = 34
WIDTH = 420
MARGIN = 26
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">
<rect x="1" y="1" width="{frame_width}" height="{frame_height}" rx="36" fill="{background}"
  stroke="{faint}" stroke-width="2"/>
<g font-family="{font}" font-size="14" fill="{text}">
{lines}
</g>
</svg>
"""


def read_text() -> str:
    """Return the message with its subject, as `docs/messages.md` has it."""
    return messages.rejected_message() + "\n"


def draw(theme: Theme) -> str:
    """Draw the beginning of the message as SVG."""
    subject, _, body = read_text().partition("\n\n")
    subject_lines = textwrap.wrap(subject.removeprefix("Subject: "), COLUMNS - 6)
    body_lines = [
        part
        for line in body.splitlines()
        for part in textwrap.wrap(line, COLUMNS, break_on_hyphens=False) or [""]
    ]

    y = MARGIN + LINE_HEIGHT
    elements = []
    for line in subject_lines:
        elements.append(f'<text x="{MARGIN}" y="{y}" font-weight="bold">{escape(line)}</text>')
        y += LINE_HEIGHT
    elements.append(f'<text x="{MARGIN}" y="{y}" fill="{theme.faint}">retraining-prod</text>')
    y += 2 * LINE_HEIGHT
    for line in body_lines[:SHOWN_LINES]:
        elements.append(f'<text x="{MARGIN}" y="{y}">{escape(line.strip())}</text>')
        y += LINE_HEIGHT

    return SVG.format(
        width=WIDTH,
        height=y + MARGIN,
        frame_width=WIDTH - 2,
        frame_height=y + MARGIN - 2,
        background=theme.background,
        faint=theme.faint,
        text=theme.text,
        font=SANS_FONT.replace('"', "'"),
        lines="\n".join(elements),
    )
