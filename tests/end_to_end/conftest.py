"""The unchanged program, deployed to the emulator, does the job.

With the emulator. Does not prove the AWS provider's own checks.
"""

from typing import NamedTuple

import pytest

from components import settings
from emulator import running
from emulator.personalize import Duration, FixedTimings
from retrain.account.project_files import read_project
from retrain.rehearsal.resources import StackResources
from tests.end_to_end.stack import PROJECT, SHORT_WAITS, Run, Stack, deploy_stack
from tests.sample_data import sample_data

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.1, in_progress=0.2),
    containers=Duration(pending=0, in_progress=0.1),
    stop=Duration(pending=0, in_progress=0.2),
)
"""Seconds. A run polls a job after one second at the earliest."""
SLOT = "2031-01-06T03:00:00Z"


class FirstRuns(NamedTuple):
    """The first runs of two stacks, which were fired for the same slot."""

    stack: Stack
    """The sample stack `dev`."""
    films: Stack
    run: Run
    """The run of the sample stack. Its event was delivered twice."""
    films_run: Run
    previous_version_arn: str
    """The version that the campaign of the sample stack served before."""
    deliveries: list[str]
    """The ARNs of the executions that the deliveries to the sample stack started or found."""


@pytest.fixture(scope="session")
def emulator():
    """Return an emulator without any stack."""
    with running(timings=TIMINGS) as started:
        yield started


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
          probe:
            userId: user-001
            filterArn: arn:aws:personalize:eu-west-1:123456789012:filter/films
            minResults: 1
            minutes: 0.001
          bake:
            hours: 0.00003
            createAlarms: true
      batchJobs:
        - input: s3://films-batch/users.json
          output: s3://films-batch/{date}/
          filterArn: arn:aws:personalize:eu-west-1:123456789012:filter/films
          numResults: 2
  # The same minute as in the sample stack.
  personalize-retraining:retrainingRate: cron(0 3 ? * MON *)
  personalize-retraining:timezone: Europe/Dublin
  personalize-retraining:limits:
    # The minimum of one second. A training that hangs is overdue at the first poll.
    maxTrainingHours: 0.00028
  # These two add statements to the policies.
  personalize-retraining:kmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/logs
  personalize-retraining:dataKmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/exports
"""


@pytest.fixture(scope="session")
def first_runs(emulator, tmp_path_factory):
    """Deploy two stacks to one account, and fire both for the same slot."""
    folder = tmp_path_factory.mktemp("films")
    project_file = (PROJECT / "Pulumi.yaml").read_text()
    (folder / "Pulumi.yaml").write_text(f"{project_file}\nmain: {PROJECT}\n")
    (folder / "Pulumi.films.yaml").write_text(FILMS)
    for name, project_dir in (("dev", PROJECT), ("films", folder)):
        project = read_project(project_dir, name, {})
        args = settings.parse_stack_config(project.name, name, project.config)
        StackResources(emulator, args, sample_data()).create()

    emulator.client("personalize").create_filter(
        name="films",
        datasetGroupArn="arn:aws:personalize:eu-west-1:123456789012:dataset-group/films",
        filterExpression='EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("refund")',
    )
    stack = deploy_stack(emulator, "dev", **SHORT_WAITS)
    films = deploy_stack(emulator, "films", folder)
    stack.watch()
    films.watch()
    previous_version_arn = stack.served_version()
    deliveries = [stack.fire(SLOT), stack.fire(SLOT)]
    films_execution = films.fire(SLOT)
    return FirstRuns(
        stack,
        films,
        stack.wait_for(deliveries[0]),
        films.wait_for(films_execution),
        previous_version_arn,
        deliveries,
    )


@pytest.fixture(scope="session")
def stack(first_runs):
    """Return the sample stack with short probes, after its first run."""
    return first_runs.stack


@pytest.fixture(scope="session")
def films(first_runs):
    """Return the second stack, after its first run. Its functions are warm."""
    return first_runs.films
