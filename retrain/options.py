"""Reads the values of the options, and refuses the values that no command can use."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import typer
from botocore.utils import is_valid_endpoint_url

from retrain.rehearsal.scenarios import Name

LAST_PORT = 65535


def parse_port(value: str | int) -> int:
    """Return the number of a port. Raise BadParameter for a text that is not a port.

    `value` is text, or a number if the option has its default.
    """
    text = str(value)
    if not (text.isascii() and text.isdecimal() and int(text) <= LAST_PORT):
        raise typer.BadParameter(
            f"{text!r} is not a port; write a number from 1 to {LAST_PORT}, or 0 for a free port"
        )
    return int(text)


def parse_scenario(text: str) -> Name:
    """Return the scenario with this name. Raise BadParameter if there is none."""
    names = [str(name) for name in Name]
    if text not in names:
        close = get_close_matches(text, names, n=1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        raise typer.BadParameter(f"{text!r} is unknown; {guess}name one of {', '.join(names)}")
    return Name(text)


def parse_endpoint(text: str) -> str:
    """Return the address of an endpoint. Raise BadParameter for a text that boto3 cannot use."""
    has_scheme = text.startswith(("http://", "https://"))
    if not has_scheme or not is_valid_endpoint_url(text):
        raise typer.BadParameter(
            f"{text!r} is not the address of an endpoint; write for example http://127.0.0.1:4566"
        )
    return text


def parse_folder(text: str) -> Path:
    """Return the path of a folder. Raise BadParameter if there is no such folder."""
    folder = Path(text)
    try:
        is_folder = bool(text) and folder.is_dir()
    except (OSError, ValueError):  # no permission, or a text that cannot be a path
        is_folder = False
    if not is_folder:
        raise typer.BadParameter(
            f"{text!r} is not a folder that can be read; name the folder that contains "
            "interactions.csv"
        )
    return folder
