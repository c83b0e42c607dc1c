"""Draws what commands print in a terminal: the demo, a run that is watched, and the doctor."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import boto3
from rich.console import Console
from rich.text import Text

from docs.pictures.themes import FONT, Theme

COLUMNS = 100
DOCTOR_LINES = 10
LIVE_DISPLAY = re.compile(r"\x1b\[\?25l(.*?)\x1b\[\?25h", re.DOTALL)
"""A display that is redrawn: Rich hides the cursor before it, and shows the cursor after it."""
ERASURE = re.compile(r"(?:\r\x1b\[2K)?(?:\x1b\[1A\x1b\[2K)+")
"""What erases the last drawing of such a display."""
COLOR = re.compile(r"\x1b\[[\d;]*m")
EXPORT = re.compile(r"^ *export (\w+)=(\S+)", re.MULTILINE)
"""What a kept rehearsal prints, so that other programs use its emulator."""
MACHINE_ARN = re.compile(r"--state-machine-arn (arn:\S+)")
SVG = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{width}} {{height}}" role="img">
<style>
.{{unique_id}}-matrix {{{{ font-family: {FONT}; font-size: {{char_height}}px; }}}}
.{{unique_id}}-title {{{{ font-family: {FONT}; font-size: 16px; }}}}
{{styles}}
</style>
{{chrome}}
<g transform="translate({{terminal_x}}, {{terminal_y}})">
{{backgrounds}}
<g class="{{unique_id}}-matrix">{{matrix}}</g>
</g>
</svg>
"""
"""Like Rich's own format, which loads its font from the network and clips each line."""
CLIPPING = re.compile(r' clip-path="[^"]*"')


class Screen(NamedTuple):
    """What a command has printed."""

    title: str
    output: str
    """The text, with the codes of its colors."""


def record_screens() -> dict[str, Screen]:
    """Play the demo, delete a campaign of its stack, and ask the doctor."""
    with _kept_rehearsal() as lines:
        rehearsal = _read_until_kept(lines)
        environment = dict(EXPORT.findall(remove_colors(rehearsal)))
        del environment["PATH"]  # a shell would fill in the rest of it
        os.environ.update(environment)

        personalize = boto3.client("personalize")
        (campaign,) = personalize.list_campaigns()["campaigns"]
        personalize.delete_campaign(campaignArn=campaign["campaignArn"])
        machine_arn = MACHINE_ARN.findall(remove_colors(rehearsal))[0]
        doctor = _ask_doctor(machine_arn)

    return {
        "demo": Screen("make demo, third scenario", _cut_last_scenario(rehearsal)),
        "watch": Screen("retrain watch -s dev", _find_training(rehearsal)),
        "doctor": Screen("retrain doctor -s dev --state-machine-arn ARN", doctor),
    }


@contextmanager
def _kept_rehearsal() -> Iterator[io.TextIOBase]:
    """Rehearse the sample stack, keep the emulator until the block ends, and yield the output."""
    command = [sys.executable, "-u", "-m", "retrain", "rehearse", "--stack", "dev", "--keep"]
    for name in ("happy-path", "truncated-export", "worse-model"):
        command += ["--scenario", name]
    with subprocess.Popen(  # noqa: S603  # this program
        command,
        env=_colorful(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            assert process.stdout is not None
            # As it was printed: the codes of a display contain carriage returns.
            yield io.TextIOWrapper(process.stdout, encoding="utf-8", newline="")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def _colorful() -> Mapping[str, str]:
    """Return the environment of a command that prints as in a terminal of COLUMNS columns."""
    return {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "LINES": "40"}


def _read_until_kept(lines: io.TextIOBase) -> str:
    """Read what the rehearsal prints, until its last line, which names the command `history`."""
    printed = ""
    while " history " not in printed:
        line = lines.readline()
        if not line:
            raise RuntimeError(f"the rehearsal ended: {printed}")
        printed += line
    return printed


def _ask_doctor(machine_arn: str) -> str:
    """Return the first lines that the doctor prints, with the problem, and the count at the end."""
    options = ["--stack", "dev", "--state-machine-arn", machine_arn]
    completed = subprocess.run(  # noqa: S603  # this program
        [sys.executable, "-m", "retrain", "doctor", *options],
        env=_colorful(),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = completed.stdout.splitlines()
    count = next(line for line in lines if " problem, " in line)
    return "\n".join([*lines[:DOCTOR_LINES], "…", count])


def _cut_last_scenario(rehearsal: str) -> str:
    """Return what is left on the screen of the last scenario, without the instructions below."""
    shown = ERASURE.sub("", LIVE_DISPLAY.sub("", rehearsal))
    scenario = shown[shown.rindex("Scenario ") :]
    end = re.search(r"scenarios ended as \w+\.", scenario)
    assert end is not None
    return re.sub(r"\n{3,}", "\n\n", scenario[: end.end()].replace("\r", ""))


def _find_training(rehearsal: str) -> str:
    """Return the first drawing of a run in which the training is in progress."""
    for display in LIVE_DISPLAY.findall(rehearsal):
        for drawing in ERASURE.split(display):
            text = remove_colors(drawing)
            if re.search(r"^ *train .* in progress", text, re.MULTILINE):
                return drawing.replace("\r", "").strip("\n")
    raise RuntimeError("no drawing shows a training")


def remove_colors(output: str) -> str:
    """Return an output as plain text."""
    return COLOR.sub("", output)


def draw(screen: Screen, theme: Theme) -> str:
    """Draw a terminal with an output as SVG."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text.from_ansi(screen.output))
    svg = console.export_svg(
        title=screen.title, theme=theme.terminal, code_format=SVG, unique_id=f"t-{theme.name}"
    )
    return CLIPPING.sub("", svg)
