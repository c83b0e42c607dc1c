"""A rehearsal does the whole job for a stack with many options, and cleans up if interrupted."""

import json
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from emulator.personalize import Duration, FixedTimings
from retrain.rehearsal import rehearse
from retrain.rehearsal.data.sample_data import SampleData
from tests.program.sample_stack import CONFIG, PROJECT_FILE, ROOT, texts

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
    "solutions[1]": {"solutionArn": SECOND_SOLUTION},
    "limits.maxTrainingsPerMonth": 1,
    "importRoleArn": "arn:aws:iam::123456789012:role/team/import",
    "permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/team/boundary",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a project with a stack that has many options, and CSV files for it."""
    path = tmp_path_factory.mktemp("project")
    (path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
    (path / "Pulumi.dev.yaml").write_text(json.dumps({"config": texts(OPTIONS)}))
    data = SampleData()
    for key in CONFIG["datasets"]:
        (path / f"{key}.csv").write_bytes(data.newer(key.upper()))
    return path


@pytest.fixture
def runs_by_hand():
    """The runs that are started by hand while the emulator is kept."""
    return []


@pytest.fixture
def document(folder, runs_by_hand, monkeypatch, capsys):
    """Return the JSON document of a rehearsal with short jobs, and keep it for runs by hand."""

    def run_by_hand(kept):
        runs_by_hand.append(kept.deployed.follow(kept.deployed.start_by_hand()))
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(rehearse, "TIMINGS", SHORT)
    monkeypatch.setattr(rehearse.KeptStack, "refresh", run_by_hand)
    options = {"project_dir": folder, "data_dir": folder, "as_json": True, "keep": True}
    assert rehearse.rehearse("dev", **options) == 0
    return json.loads(capsys.readouterr().out)


def test_a_stack_with_many_options_is_rehearsed_with_the_csv_files_of_the_user(
    document, runs_by_hand
):
    assert document["succeeded"]
    report = document["report"]
    assert report["outcome"] == "TRAINED", "the second solution has no campaign"
    assert [dataset["outcome"] for dataset in report["imports"]] == ["IMPORTED"] * 3
    assert [solution["outcome"] for solution in report["solutions"]] == ["DEPLOYED", "TRAINED"]
    assert [solution["trainingMode"] for solution in report["solutions"]] == ["UPDATE", "FULL"]

    assert sorted(job["kind"] for job in document["jobs"]) == [
        *["import"] * 3,
        *["train"] * 2,
        "update",
    ]
    assert {job["statuses"][-1] for job in document["jobs"]} == {"ACTIVE"}
    steps = [step["step"] for step in document["steps"]]
    assert (steps[0], steps[-1]) == ("plan_retraining", "report_outcome")

    assert [version["age"] for version in document["versions"]] == ["old", "new"] * 2
    old, new, *_ = document["versions"]
    assert old["metrics"] != new["metrics"], "the newer data make another model"
    (campaign,) = document["campaigns"]
    assert campaign["previousVersionArn"] == old["solutionVersionArn"]
    assert campaign["solutionVersionArn"] == new["solutionVersionArn"]
    assert len(campaign["recommendations"]) == 5
    assert all(item["title"] for item in campaign["recommendations"])

    (run_by_hand,) = runs_by_hand
    assert run_by_hand.report["outcome"] == "TRAINED"
    assert [row["outcome"] for row in run_by_hand.report["imports"]] == ["IMPORTED"] * 3, (
        "the export of today is newer than the exports of the schedule's runs"
    )


def test_an_interrupted_rehearsal_prints_one_line_and_leaves_no_process():
    command = subprocess.Popen(
        [sys.executable, "-u", "-m", "retrain", "rehearse"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    endpoint = urlsplit(command.stdout.readline().split()[-1])
    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=30)
    assert (command.returncode, errors) == (130, "interrupted\n")
    assert "Traceback" not in output
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((endpoint.hostname, endpoint.port), timeout=5)
