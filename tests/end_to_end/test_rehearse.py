"""A rehearsal does the whole job: the command as it is, and a stack that asks for much at once."""

import json
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from emulator.personalize import Duration, FixedTimings
from retrain.rehearsal import rehearse
from retrain.rehearsal.data.sample_data import SampleData
from tests.program.sample_stack import CONFIG, PROJECT, PROJECT_FILE, ROOT, changed

SHORT = FixedTimings(jobs=Duration(0.3, 0.3), containers=Duration(0, 0.1))
STATUSES = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
RECOMMENDED = 5
CHEAPEST = [
    option
    for name in ("happy-path", "truncated-export", "wrong-header", "nothing-new")
    for option in ("--scenario", name)
]
"""What is refused or skipped before anything is started; the rest takes a training each."""


@pytest.mark.timeout(480)
def test_the_command_rehearses_the_sample_stack_and_tells_it_as_json():
    command = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", "retrain", "rehearse", "--stack", "dev", "--json", *CHEAPEST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert command.returncode == 0, command.stderr
    told = json.loads(command.stdout)
    assert told["succeeded"]
    assert told["report"]["status"] == "DEPLOYED"

    jobs = {(job["kind"], job["arn"].split(":")[5].split("/")[0]) for job in told["jobs"]}
    assert jobs == {
        ("import", "dataset-import-job"),
        ("train", "solution"),
        ("update", "campaign"),
    }
    campaigns = [each for solution in CONFIG["solutions"] for each in solution["campaigns"]]
    assert len(told["jobs"]) == (
        len(CONFIG["datasets"]) + len(CONFIG["solutions"]) + len(campaigns)
    )
    assert [job["statuses"] for job in told["jobs"]] == [STATUSES] * len(told["jobs"]), (
        "each job was seen in each of its statuses"
    )

    old, new = told["versions"]
    assert (old["age"], new["age"]) == ("old", "new")
    assert old["metrics"] != new["metrics"], "the newer data made another model"
    (served,) = told["campaigns"]
    assert served["previousVersionArn"] == old["solutionVersionArn"]
    assert served["solutionVersionArn"] == new["solutionVersionArn"]
    assert len(served["recommendations"]) == RECOMMENDED
    assert all(each["title"] for each in served["recommendations"])

    assert [(each["scenario"], each["isAsDesigned"]) for each in told["scenarios"]] == [
        ("truncated-export", True),
        ("wrong-header", True),
        ("nothing-new", True),
    ]

    steps = [each["step"] for each in told["steps"]]
    assert (steps[0], steps[-1]) == ("plan_retraining", "report_outcome")
    assert steps.count("create_solution_version") == len(CONFIG["solutions"])
    assert steps.count("watch_campaign_update") == len(campaigns)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_ends_without_a_word_and_leaves_nothing(number, code):
    command = subprocess.Popen(
        [sys.executable, "-u", "-m", "retrain", "rehearse"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    endpoint = command.stdout.readline().split()[-1]
    command.send_signal(number)
    said, errors = command.communicate(timeout=30)
    assert (command.returncode, errors) == (code, "")
    assert "Traceback" not in said
    address = urlsplit(endpoint)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)


@pytest.fixture
def project(tmp_path):
    """A stack that is paused, updates and increments, with dates, markers and a probe."""
    settings = changed(
        {
            "datasets.interactions.importMode": "INCREMENTAL",
            "datasets.interactions.dataLocation": "s3://movies-exports/interactions/{date}/",
            "datasets.interactions.readyMarker": "s3://movies-exports/ready/{date}",
            "datasets.items.readyMarker": "s3://markers/items.SUCCESS",
            "solutions[0].campaigns[0].probe": {"userId": "user-001", "minResults": 10},
            "limits.maxTrainingsPerMonth": 1,
            "datasets.users.dataLocation": "s3://second-bucket/deep/users/",
            "solutions[0].trainingMode": "UPDATE",
            "solutions[1]": {"solutionArn": f"{CONFIG['solutions'][0]['solutionArn']}-2"},
            "importRoleArn": "arn:aws:iam::123456789012:role/team/import",
            "permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/team/boundary",
            "paused": True,
        }
    )
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
    own = {f"{PROJECT}:{key}": value for key, value in settings.items()}
    document = {"config": {"aws:region": "eu-west-1", **own}}
    (tmp_path / "Pulumi.much.yaml").write_text(json.dumps(document))
    return tmp_path


@pytest.fixture
def data(tmp_path):
    """The sample data as somebody's own; the newest fifth is enough for an increment."""
    folder = tmp_path / "data"
    folder.mkdir()
    for key in CONFIG["datasets"]:
        (folder / f"{key}.csv").write_bytes(SampleData().newer(key.upper()))
    return folder


def test_a_stack_that_asks_for_much_is_rehearsed_with_data_of_ones_own(
    project, data, monkeypatch, capsys
):
    monkeypatch.setattr(rehearse, "TIMINGS", SHORT)
    monkeypatch.setattr(rehearse, "Console", lambda **options: Console(width=80, **options))
    assert rehearse.rehearse("much", project_dir=project, data_dir=data) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "the stack is paused and its schedule is disabled: starting a run by hand" in lines
    assert lines[-1] == "Every campaign serves its new version."
    report = lines[next(i for i, each in enumerate(lines) if each.startswith("Retraining run")) :]
    outcomes = [each.rpartition(": ")[2] for each in report if ": " in each]
    assert outcomes == ["TRAINED", *["IMPORTED"] * 3, "DEPLOYED", "DEPLOYED", "TRAINED"]
