"""Proves that a trial asks first, and that nothing is left of it after an error and Ctrl-C."""

import io
import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from tests.aws import __main__ as program
from tests.aws import cleanup
from tests.aws.conftest import InProcess
from tests.aws.deploy import RESOURCES
from tests.aws.page import ROOT
from tests.aws.stack import CommandError
from tests.aws.trial import Phase
from tests.aws.world import World


class Terminal(io.StringIO):
    """What a person types into a terminal."""

    def isatty(self):
        """Return True."""
        return True


@pytest.mark.parametrize("typed", [io.StringIO, Terminal])
@pytest.mark.parametrize("level", ["deploy", "run", "facts"])
def test_without_a_yes_nothing_is_done(trial, capsys, level, typed):
    answer = "no" if typed is Terminal else "yes"
    trial.patch.setattr(sys, "stdin", typed(f"{answer}\n"))
    trial.emulator.control("DELETE", "calls")
    assert trial(level) == 2
    read = {"sts:GetCallerIdentity", "personalize:ListSchemas"}
    assert {call["action"] for call in trial.emulator.calls()} == read
    assert "We estimate: a few " in capsys.readouterr().out
    assert list(trial.folder.iterdir()) == []


def test_without_credentials_one_line_says_so(trial, capsys):
    trial.patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    trial.patch.setenv("AWS_CONFIG_FILE", "/nowhere")
    trial.patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        trial.patch.delenv(name)
    assert trial("deploy") == 2
    assert capsys.readouterr().err == (
        "error: Unable to locate credentials. Nothing was created; see docs/aws.md.\n"
    )


def test_without_the_pulumi_cli_nothing_is_created(trial, capsys):
    trial.patch.setattr(program, "which", lambda _: None)
    assert trial("deploy", "--yes") == 2
    assert capsys.readouterr().err == (
        "error: pulumi is not on the PATH. Nothing was created; see docs/aws.md.\n"
    )
    assert list(trial.folder.iterdir()) == []


@pytest.mark.parametrize(
    "variable, value",
    [("AWS_ENDPOINT_URL_PERSONALIZE", "http://127.0.0.1:9"), ("AWS_PROFILE", "missing")],
)
def test_without_personalize_or_the_profile_nothing_is_created(trial, capsys, variable, value):
    trial.patch.setenv("AWS_MAX_ATTEMPTS", "1")
    trial.patch.setenv(variable, value)
    assert trial("facts", "--yes") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(trial.folder.iterdir()) == []


class Undestroyable(InProcess):
    """A stack that cannot be deployed again, and that Pulumi cannot destroy."""

    def destroy(self):
        """Fail like Pulumi without its state."""
        raise CommandError("the state is lost")


def fail():
    """Fail like a phase to which AWS answers with an error."""
    raise ValueError("no")


def press_ctrl_c():
    """Interrupt the trial."""
    signal.raise_signal(signal.SIGINT)


def terminate():
    """End the trial as the system does when it shuts down."""
    os.kill(os.getpid(), signal.SIGTERM)


def close_the_terminal():
    """End the trial as a lost connection to its machine does."""
    os.kill(os.getpid(), signal.SIGHUP)


FAULTS = [
    # A resource whose tags cannot be read for a moment must not count as a stranger's.
    {"fault": "deny", "operation": "ListTagsForResource"},
    # A lost connection must not end the removal.
    {"fault": "lost-answer", "operation": "ListFilters"},
]
PHASES = {
    "group": [["CreateDatasetGroup", {"name": "a"}]],
    "dataset": [["upload", "a.csv", 999], *RESOURCES["deploy"]],
    "training": [["CreateSolutionVersion", {"solutionArn": "<solution/solution>", "name": "a"}]],
}


@pytest.mark.parametrize(
    "last, end",
    [
        *((last, fail) for last in PHASES),
        *(("training", end) for end in (press_ctrl_c, terminate, close_the_terminal)),
    ],
)
def test_what_was_done_is_undone_in_reverse_order_and_nothing_is_left(trial, last, end):
    names = list(PHASES)[: list(PHASES).index(last) + 1]
    undone = []

    def build_phases(account, _):
        world = World(account)
        phases = [
            Phase(name, partial(world.ask, PHASES[name]), undo=partial(undone.append, name))
            for name in names
        ]
        return [*phases, Phase("end", end)]

    trial.patch.setenv("AWS_MAX_ATTEMPTS", "1")
    for fault in FAULTS:
        trial.emulator.control("POST", "faults", fault)
    trial.patch.setitem(program.LEVELS, "facts", build_phases)
    assert trial("facts", "--yes") == 1
    trial.emulator.control("DELETE", "faults")
    assert undone == names[::-1]
    assert trial.page.stopped.startswith("It stopped at 'end': ")
    assert (trial.page.left, trial.count()) == ([], {})
    assert [file.name for file in trial.folder.iterdir()] == ["aws.md"]


def test_a_second_ctrl_c_ends_the_removal_and_the_page_says_so(trial):
    trial.patch.setitem(program.LEVELS, "facts", lambda *_: [Phase("end", fail)])
    trial.patch.setattr(trial, "sleep", lambda _: press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        trial("facts", "--yes")
    left = trial.file.read_text().partition("## What is left")[2]
    assert left == "\n\n- could not remove everything: KeyboardInterrupt\n"


def test_the_targets_of_make_pass_their_variables():
    targets = ("aws", "aws-clean", "LEVEL=facts", "REGION=eu-west-1", "PRICE=free")
    make = ("make", "--dry-run", "--old-file", ".venv/.requirements", "--directory", ROOT)
    for answer, option in {"YES=1": " --yes", "YES=0": ""}.items():
        command = [*make, "--silent", *targets, answer]
        printed = subprocess.check_output(command, text=True)  # noqa: S603
        assert [line.rstrip() for line in printed.splitlines()] == [
            f".venv/bin/python -m tests.aws facts --region eu-west-1 --price free{option}",
            f".venv/bin/python -m tests.aws clean --region eu-west-1{option}",
        ]


@pytest.mark.parametrize(
    "fault, reason",
    [
        ({"fault": "deny", "operation": "CreateSolution"}, "AccessDeniedException"),
        ({"fault": "fail", "job": "dataset"}, "CREATE FAILED"),
    ],
)
def test_a_level_ends_if_something_cannot_be_created(trial, fault, reason):
    trial.emulator.control("POST", "faults", fault)
    assert trial("deploy", "--yes") == 1
    assert "It stopped at 'datasets, an untrained solution and a key': " in trial.page.stopped
    assert reason in trial.page.stopped
    assert trial.count() == {}


def test_a_search_that_is_refused_keeps_nothing_else_from_being_removed(trial):
    refused = {"fault": "deny", "operation": "ListCampaigns", "times": None}
    trial.emulator.control("POST", "faults", refused)
    trial.patch.setattr(cleanup, "MOST_PASSES", 9)
    assert trial("facts", "--price", "free", "--yes") == 1
    assert trial("clean", "--yes") == 1
    trial.emulator.control("DELETE", "faults")
    assert [line.partition(":")[0] for line in trial.page.left] == [
        "what the search for Campaign would find is still there"
    ]
    assert trial.count() == {}


def test_what_pulumi_cannot_destroy_is_removed_without_it(trial):
    trial.patch.setattr(program.deploy, "Stack", Undestroyable)
    assert trial("deploy", "--yes") == 1
    assert "It stopped at 'pulumi up again': " in trial.page.stopped
    assert trial.page.left == ["could not undo pulumi up: the state is lost"]
    assert trial.count() == {}
