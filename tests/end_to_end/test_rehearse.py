"""A rehearsal does the whole job for a stack with many options, and cleans up if interrupted."""

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from emulator.personalize import Duration, FixedTimings
from retrain import cli
from retrain.account import pulumi_cli
from retrain.rehearsal import rehearse
from tests.program.sample_stack import CONFIG, PROJECT_FILE, ROOT, texts
from tests.sample_data import sample_data

SHORT = FixedTimings(jobs=Duration(0.1, 0.1), containers=Duration(0, 0.1))
SECOND_SOLUTION = f"{CONFIG['solutions'][0]['solutionArn']}-2"
OPTIONS = {
    "datasets.interactions.importMode": "INCREMENTAL",
    "datasets.interactions.dataLocation": "s3://movies-exports/interactions/{date}/",
    "datasets.interactions.readyMarker": "s3://movies-exports/ready/{date}",
    "datasets.items.readyMarker": "s3://markers/items.SUCCESS",
    "datasets.users.dataLocation": "s3://second-bucket/deep/users/",
    "solutions[0].campaigns[0].probe": {"userId": "user-001", "minResults": 10},
    "solutions[0].trainingMode": "UPDATE",
    "solutions[0].approval": {},
    "solutions[0].qualityGate[0].relativeTo": SECOND_SOLUTION,
    "solutions[1]": {"solutionArn": SECOND_SOLUTION},
    "limits.maxTrainingsPerMonth": 1,
    "importRoleArn": "arn:aws:iam::123456789012:role/team/import",
    "permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/team/boundary",
}


@pytest.fixture
def rehearse_stack(tmp_path, monkeypatch, capsys):
    """Return a function that rehearses a stack with short jobs, and returns the JSON document."""

    def rehearse_stack(config, *options):
        (tmp_path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
        (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": config}))
        monkeypatch.setattr(rehearse, "REHEARSAL_TIMINGS", SHORT)
        monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", tmp_path)
        assert cli.main(["rehearse", "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)

    return rehearse_stack


def test_a_stack_with_many_options_is_rehearsed_with_the_csv_files_of_the_user(
    rehearse_stack, tmp_path
):
    for key in CONFIG["datasets"]:
        (tmp_path / f"{key}.csv").write_bytes(sample_data().newer[key.upper()])
    document = rehearse_stack(texts(OPTIONS), "--data", str(tmp_path))
    assert document["succeeded"]
    (scenario,) = document["scenarios"]
    assert {check["isMet"] for check in scenario["checks"]} == {True}

    report = scenario["run"]["report"]
    assert report["outcome"] == "AWAITING_APPROVAL", "as the stack asks for it"
    assert [dataset["outcome"] for dataset in report["imports"]] == ["IMPORTED"] * 3

    first, second = report["solutions"]
    assert (first["outcome"], first["trainingMode"]) == ("AWAITING_APPROVAL", "UPDATE")
    assert (second["outcome"], second["trainingMode"]) == ("TRAINED", "FULL")

    (metric,) = first["campaigns"][0]["metrics"]
    assert metric["served"] != metric["new"], "the newer data make another model"
    warnings = [warning["text"] for warning in report["warnings"]]
    assert any("imports of the served version" in warning for warning in warnings)


SCENARIOS = ("--scenario", "worse-model", "--scenario", "bad-probe")


def test_runs_judge_what_personalize_trains_beside_what_they_train_themselves(rehearse_stack):
    """Two solutions, and only the second one is trained by the pipeline."""
    campaign = {**CONFIG["solutions"][0]["campaigns"][0]}
    campaign["campaignArn"] += "-2"
    second = {**CONFIG["solutions"][0], "solutionArn": SECOND_SOLUTION, "campaigns": [campaign]}
    changes = {"solutions[0].trainedBy": "personalize", "solutions[1]": second}
    document = rehearse_stack(texts(changes), *SCENARIOS)
    assert [scenario["run"]["report"]["outcome"] for scenario in document["scenarios"]] == [
        "DEPLOYED",
        "REJECTED",
        "ROLLED_BACK",
    ]

    happy_path = document["scenarios"][0]
    assert [check["text"] for check in happy_path["checks"]] == [
        "the run ended as DEPLOYED",
        "every dataset was imported",
        "every solution has a new version, which is ACTIVE",
        "movies-for-you serves its new version",
        "movies-for-you-2 serves its new version",
    ], "the first run trains the second solution, then Personalize trains the first one"


def test_a_stack_without_datasets_gets_its_newer_interactions_as_events(rehearse_stack):
    config = texts({"solutions[0].trainedBy": "personalize"})
    del config["personalize-retraining:datasets"]
    document = rehearse_stack(config, "--scenario", "bad-probe")
    happy_path, bad_probe = (scenario["run"]["report"] for scenario in document["scenarios"])
    assert (happy_path["outcome"], bad_probe["outcome"]) == ("DEPLOYED", "ROLLED_BACK")
    (metric,) = happy_path["solutions"][0]["campaigns"][0]["metrics"]
    assert metric["served"] != metric["new"], "the newer events make another model"


INSTRUCTIONS = re.compile(r"^ *(export \S+=.*|retrain .*)$", re.MULTILINE)


@contextmanager
def rehearsal(*options, stdout=subprocess.PIPE):
    """Start a rehearsal, and interrupt it at the end, also if the test fails."""
    arguments = [sys.executable, "-u", "-m", "retrain", "rehearse", *options]
    with subprocess.Popen(  # noqa: S603  # this program
        arguments, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True
    ) as command:
        try:
            yield command
        finally:
            if command.poll() is None:
                command.send_signal(signal.SIGINT)
                command.communicate(timeout=30)


def test_the_commands_that_a_kept_rehearsal_prints_operate_its_pipeline():
    with rehearsal("--keep", stdout=subprocess.DEVNULL) as command:
        lines = []
        while not lines or " history " not in lines[-1]:
            lines.append(command.stderr.readline())
            assert command.poll() is None, lines
        pasted = "\n".join(INSTRUCTIONS.findall("".join(lines)))
        printed = subprocess.run(
            ["bash", "-e"],  # noqa: S607  # as a reader has it
            input=pasted,
            capture_output=True,
            text=True,
            check=False,
        )
        assert printed.returncode == 0, printed.stderr
        assert printed.stdout.count("  DEPLOYED  ") >= 2, "the run by hand has a newer export"
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate(timeout=30)

    assert (command.returncode, errors.strip()) == (0, "")


def test_an_interrupted_rehearsal_prints_one_line_and_leaves_no_process():
    with rehearsal() as command:
        endpoint = urlsplit(command.stderr.readline().split()[-1])
        command.send_signal(signal.SIGINT)
        output, errors = command.communicate(timeout=30)
    assert (command.returncode, output, errors.splitlines()[-1]) == (130, "", "interrupted")
    assert "Traceback" not in errors

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((endpoint.hostname, endpoint.port), timeout=5)
