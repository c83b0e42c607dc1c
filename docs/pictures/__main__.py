"""Writes all pictures into their folder: `python -m docs.pictures`, or `make pictures`."""

from pathlib import Path

from docs.pictures import dashboard, message, terminal
from docs.pictures.themes import THEMES

FOLDER = Path(__file__).parent


def main() -> None:
    """Write the pictures. The rehearsal takes about a minute."""
    screens = terminal.record_screens()
    month = dashboard.live_a_month()
    (FOLDER / "message.txt").write_text(message.read_text())
    (FOLDER / "dashboard.txt").write_text(dashboard.describe(month))
    for name, screen in screens.items():
        (FOLDER / f"{name}.txt").write_text(terminal.remove_colors(screen.output) + "\n")

    for theme in THEMES:
        for name, screen in screens.items():
            (FOLDER / f"{name}-{theme.name}.svg").write_text(terminal.draw(screen, theme))
        (FOLDER / f"message-{theme.name}.svg").write_text(message.draw(theme))
        dashboard.draw(month, theme, FOLDER / f"dashboard-{theme.name}.svg")


if __name__ == "__main__":
    main()
