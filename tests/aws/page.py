"""The result of a trial, as a page in Markdown that can be pasted into an issue.

What AWS has answered is compared with what the emulator answers to the same questions. The answers
of the emulator are in the folder `golden`, and tests keep them up to date. LocalStack's library
`localstack-snapshot` does not fit: it is a fixture of pytest that fails if a response differs from
a recording, and we want all differences on a page.
"""

import json
import re
import subprocess
import time
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tests.aws.account import say

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
ACCOUNT_NUMBER = re.compile(r"\d{4,}-?\d{4}-?\d{4}")
"""It is also masked in a longer number: in a URL, the code of a space in front ends with digits."""
NOT_ASKED = {"answer": "not asked", "responses": ()}
CHANGING = re.compile(r"(?<=-)[0-9a-f]{7}\b|(?<=/)[0-9a-f]{8}\b|\d{4}-\d\d-\d\d|0\.\d{4}")
"""What Pulumi adds to names, the ids of versions, days, and metrics."""


class Check(NamedTuple):
    """What a phase has answered."""

    name: str
    price: str
    answer: object
    minutes: float
    responses: set
    """The fields, statuses and errors of all responses, each with its operation in front."""


@dataclass
class Page:
    """What a trial has found so far."""

    level: str
    account: object
    price: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    checks: list = field(default_factory=list)
    stopped: str = ""
    """Why the trial did not come to its end."""
    left: list = field(default_factory=list)
    """What could not be removed."""

    def ask(self, phase):
        """Do a phase, and keep its answer and the fields of all responses on the way to it."""
        began = time.monotonic()
        responses = set()
        answer = "interrupted"
        say("- %s (%s)", phase.name, phase.price)
        try:
            with self.account.noting(responses):
                answer = phase.do()
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
            if not phase.goes_on:
                raise
        finally:
            minutes = (time.monotonic() - began) / 60
            answer = self._unify(answer)
            say("    %s", answer)
            self.checks.append(Check(phase.name, phase.price, answer, minutes, responses))

    def _unify(self, answer):
        """Replace what differs from trial to trial in an answer."""
        text = json.dumps(answer).replace(self.account.trial, "TRIAL")
        return json.loads(CHANGING.sub("*", mask(text)))

    def render(self):
        """Return the page."""
        golden = json.loads((GOLDEN / f"{self.level}.json").read_text())
        expected = [golden.get(check.name, NOT_ASKED) for check in self.checks]
        rows = [
            (
                check.name,
                check.price,
                f"{check.minutes:.1f}",
                check.answer,
                "" if check.answer == emulated["answer"] else emulated["answer"],
            )
            for check, emulated in zip(self.checks, expected, strict=True)
        ]
        agreed = [row for row in rows if row[-1] == ""]
        parts = [
            f"# `make aws LEVEL={self.level}`",
            f"**{len(agreed)} of {len(rows)} answers are the emulator's.** {self.stopped}",
            to_table(("", ""), self._describe().items()),
            "## Checks",
            to_table(("check", "price", "minutes", "answer", "the emulator's, if different"), rows),
            "## Differences between the responses",
            to_table(
                ("operation", "field, status or error", "answered by"),
                list_differences(
                    [check.responses for check in self.checks],
                    [emulated["responses"] for emulated in expected],
                ),
            ),
            "## What is left",
            "\n".join(f"- {line}" for line in [*self.left, *self.account.kept] or ["nothing"]),
        ]
        return mask("\n\n".join(parts)) + "\n"

    def _describe(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        commit = read_output("git", "-C", str(ROOT), "describe", "--always", "--dirty")
        minutes = (datetime.now(UTC) - self.began).total_seconds() / 60
        provider = metadata.version("pulumi-aws")
        return {
            "program": f"{project['version']}, {commit}",
            "boto3": metadata.version("boto3"),
            "Pulumi": f"CLI {read_output('pulumi', 'version')}, pulumi-aws {provider}",
            "region": self.account.region,
            "name": self.account.trial,
            "time": f"{self.began:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes",
            "estimated": self.price,
        }


def list_differences(responses, expected):
    """Return a row for each field, status and error that only one of both has ever answered."""
    answered, emulated = (set().union(*lines) for lines in (responses, expected))
    rows = [(*line.split(" ", 1), "AWS") for line in answered - emulated]
    rows += [(*line.split(" ", 1), "the emulator") for line in emulated - answered]
    return sorted(rows)


def to_table(header, rows):
    """Return a table in Markdown. A cell that is no text is written as JSON."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(to_cell, line))} |" for line in lines)


def to_cell(value):
    """Return a value for a cell of a table."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("|", "\\|").replace("\n", " ")


def mask(text):
    """Replace the numbers of accounts."""
    return ACCOUNT_NUMBER.sub("************", text)


def read_output(*command):
    """Return what a program prints, or `unknown`."""
    try:
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
