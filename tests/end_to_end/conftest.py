"""The unchanged program, deployed to the emulator, does the job.

With the emulator. Does not prove the AWS provider's own checks.
"""

from contextlib import suppress
from pathlib import Path

import pytest

import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from retrain.rehearsal.data.resources import create_resources
from tests.end_to_end.stack import PROJECT, SHORT_PROBES, deployed, eventually

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.2, in_progress=0.3),
    containers=Duration(pending=0, in_progress=0.1),
    stop=Duration(pending=0, in_progress=0.2),
)
"""Seconds; a job is looked at after one second at the earliest."""


@pytest.fixture(scope="session")
def emulator():
    """An account with the world of the sample stack: a first model, served."""
    project = read_project(PROJECT, "dev", {})
    args = settings.parse_stack(project.name, "dev", project.config)
    with running(timings=TIMINGS) as started:
        create_resources(started, args, lambda _: None)
        yield started
        before = living(started.process.pid)
    assert not started.log.parent.exists(), "its folder is removed"
    if Path("/proc/self/stat").exists():
        assert before != [], "the server and the functions were there"
        eventually(lambda: living(started.process.pid), lambda left: left == [])


def living(group: int) -> list[str]:
    """What runs in a group of processes: the server, and every function that it has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            text = path.read_text()
            state, _parent, its_group = text.rpartition(")")[2].split()[:3]  # after "pid (name)"
            if its_group == str(group) and state != "Z":
                found.append(text)
    return found


@pytest.fixture(scope="session")
def stack(emulator):
    """The sample stack, deployed as it is but for how long it probes."""
    return deployed(emulator, "dev", **SHORT_PROBES)


FILMS = """\
config:
  aws:region: eu-west-1
  personalize-retraining:datasets:
    interactions:
      datasetArn: arn:aws:personalize:eu-west-1:123456789012:dataset/films/INTERACTIONS
      dataLocation: s3://films-exports/interactions.csv
    users:
      datasetArn: arn:aws:personalize:eu-west-1:123456789012:dataset/films/USERS
      dataLocation: s3://films-exports/users/
  personalize-retraining:solutions:
    - solutionArn: arn:aws:personalize:eu-west-1:123456789012:solution/films
      campaigns:
        - campaignArn: arn:aws:personalize:eu-west-1:123456789012:campaign/films
          probe: {userId: user-001, minResults: 1, minutes: 0.001}
  # The sample stack's minute.
  personalize-retraining:retrainingRate: cron(0 3 ? * MON *)
  personalize-retraining:timezone: Europe/Dublin
  personalize-retraining:limits:
    # The least there is, a second: a training that hangs is overdue when it is first looked at.
    maxTrainingHours: 0.00028
  # For the statements that come with keys.
  personalize-retraining:kmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/logs
  personalize-retraining:dataKmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/exports
"""


@pytest.fixture(scope="session")
def films(emulator, tmp_path_factory):
    """A second stack of the same program, for another group of the same account.

    It has run once, so that its functions are warm.
    """
    project = tmp_path_factory.mktemp("films")
    program = (PROJECT / "Pulumi.yaml").read_text()
    (project / "Pulumi.yaml").write_text(f"{program}\nmain: {PROJECT}\n")
    (project / "Pulumi.films.yaml").write_text(FILMS)
    read = read_project(project, "films", {})
    args = settings.parse_stack(read.name, "films", read.config)
    create_resources(emulator, args, lambda _: None)
    made = deployed(emulator, "films", project)
    assert made.run().status == "SUCCEEDED"
    return made
