"""The rules of a batch job, one row for each situation. tests/model plays them in random order."""

from dataclasses import replace
from datetime import timedelta

import pytest
from import_jobs import HOUR, MINUTE, NOW

from functions.rules.batch_jobs import (
    KEYS_OF_RESULTS,
    BatchJob,
    BatchProgress,
    BatchSpec,
    BatchState,
    Create,
    decide,
    with_version_facts,
)
from functions.rules.campaigns import CampaignState, CampaignUpdate, DeploymentRecord, Trial
from functions.rules.gate import VersionFacts
from functions.rules.steps import Step, failed, remember
from functions.rules.trainings import Deletion

OLD, NEW = "solution/old", "solution/new"
UNSET = dict.fromkeys(KEYS_OF_RESULTS)
GATE = [{"metric": "coverage", "maxDrop": 0.1}]
VERSIONS = {
    OLD: VersionFacts(NOW - 9 * HOUR, {"coverage": 0.5}),
    NEW: VersionFacts(NOW - 2 * HOUR, {"coverage": 0.4}),
}


def campaign(served_version_arn=NEW, **record):
    """Return a campaign that serves a version, which has passed here unless `record` differs."""
    update = CampaignUpdate(
        version_arn=served_version_arn, created_at=NOW - HOUR, ended_at=NOW - HOUR
    )
    record = DeploymentRecord(**{"good_version_arn": served_version_arn, **record})
    return CampaignState(served_version_arn=served_version_arn, update=update, record=record)


SERVED = (campaign(),)
TRIAL = Trial(NEW, NOW - HOUR)


def step(*jobs, memory=(), campaigns=SERVED, live=False, results=5, spec=(), **state):
    """Return the step of the rules, and the progress after it."""
    progress = BatchProgress(**{"began_at": NOW - 3 * MINUTE, **dict(memory)})
    state = BatchState(jobs=jobs, campaigns=campaigns, **{"input_fingerprint": "i1", **state})
    on_rejected = "live" if live else "skip"
    settings = {"numResults": results, "onRejected": on_rejected, "maxHours": 6}
    spec = BatchSpec(
        **{"run": "this", "version_arn": NEW, "job": {**UNSET, **settings}, **dict(spec)}
    )
    before = replace(progress)
    found = decide(with_version_facts(state, spec, VERSIONS.__getitem__), spec, progress, NOW)
    assert progress == before, "rules only return steps"
    remember(progress, found)
    return found._replace(remembered={}), progress


def content(**changes):
    """Return what a job would be created for."""
    return step(**changes)[0].action.content


def job(number=1, **fields):
    """Return a successful batch job of an earlier run, whose content is still present."""
    standard = {
        "arn": f"job-{number}",
        "version_arn": NEW,
        "is_running": False,
        "is_active": True,
        "created_at": NOW - 2 * HOUR,
        "ended_at": NOW - HOUR,
        "run": "earlier",
        "content": content(),
    }
    return BatchJob(**{**standard, **fields})


RUNNING = {"is_running": True, "is_active": False}
FAILED = {"is_active": False}
WRITTEN = Step("WRITING", outcome="WRITTEN")
LATE = (
    "job-1 is still running after 6 hours; it goes on, because no batch job can be stopped, and "
    "the next run waits for it"
)


@pytest.mark.parametrize(
    ("jobs", "fields", "expected"),
    [
        ([job()], {}, WRITTEN),
        ([job(**FAILED)], {}, "creates"),
        ([job(2, content="other"), job()], {}, "creates"),
        ([job(content=None)], {}, "creates"),
        ([job(version_arn="other/1", content="other")], {}, "creates"),
        ([job(run="this", content="other")], {}, WRITTEN),
        ([job(run="this", **FAILED, failure="no")], {}, failed("WRITING", "no")),
        ([job(run="this", **FAILED)], {}, failed("WRITING", "job-1 has failed without a reason")),
        ([job(**RUNNING, content="other")], {}, Step("WRITING", pause=12)),
        (
            [job(**RUNNING, created_at=NOW - 7 * HOUR)],
            {"memory": {"began_at": NOW - 6 * HOUR}},
            failed("WRITING", LATE),
        ),
        (
            [job(**RUNNING, created_at=NOW - 7 * HOUR)],
            {"memory": {"began_at": NOW - 5 * HOUR}},
            Step("WRITING", pause=12),
        ),
        ([job(**RUNNING)], {"memory": {"began_at": NOW - 6 * HOUR}}, Step("WRITING", pause=12)),
        (
            [],
            {"input_fingerprint": None},
            failed("WRITING", "its input has no objects; check the job that writes it"),
        ),
        ([], {"memory": {"sent_at": NOW - MINUTE}}, Step("WAITING", pause=60)),
        ([], {"memory": {"sent_at": NOW - 4 * MINUTE}}, "creates"),
        (
            [],
            {"memory": {"began_at": NOW - 6 * HOUR, "blocked_by": "busy"}},
            failed("WAITING", "gave up after 6 hours: busy"),
        ),
    ],
)
def test_results_are_written_once_and_never_by_two_jobs_at_a_time(jobs, fields, expected):
    found, _ = step(*jobs, **fields)
    created = Step("WRITING", Create(NEW, content()))
    assert found == (created if expected == "creates" else expected)


def test_the_job_that_has_written_the_results_is_remembered():
    _, progress = step(job(1), job(2))
    assert (progress.job_arn, progress.version_arn) == ("job-1", NEW)


def test_another_version_input_or_setting_is_another_content():
    old = {"spec": {"version_arn": OLD}, "campaigns": [campaign(OLD)]}
    changes = [
        {},
        {"input_fingerprint": "i2"},
        {"filter_expression": "EXCLUDE"},
        {"results": 6},
        old,
    ]
    assert len({content(**change) for change in changes}) == len(changes)


NOT_PASSED = f"no campaign serves {NEW} as its good version"


def skipped(reason):
    """Return the step of a batch job without a version to use."""
    return Step("WRITING", outcome="SKIPPED", reasons=[reason])


@pytest.mark.parametrize(
    ("campaigns", "live", "version"),
    [
        ([campaign(OLD), campaign()], False, NEW),
        ([campaign(trial=TRIAL)], False, None),
        ([campaign(good_version_arn=OLD)], False, None),
        ([campaign(OLD)], False, None),
        ([campaign(OLD)], True, OLD),
        ([campaign(OLD), campaign(None)], True, OLD),
        ([campaign(OLD, good_version_arn=None)], True, OLD),
        ([campaign(NEW, trial=TRIAL)], True, None),
        ([campaign(OLD, blocked_version_arn=OLD)], True, None),
        ([campaign(None)], True, None),
    ],
)
def test_a_version_is_written_that_has_passed_on_a_campaign_or_is_in_use(campaigns, live, version):
    found, progress = step(campaigns=campaigns, live=live)
    assert progress.version_arn == version
    assert found == skipped(NOT_PASSED) if version is None else found.action.version_arn == version


DROP = "coverage fell from 0.5000 to 0.4000, by more than 10%"


@pytest.mark.parametrize(
    ("jobs", "fields", "version"),
    [
        ([], {}, NEW),
        ([job(version_arn=OLD)], {}, None),
        ([job(version_arn=OLD)], {"live": True}, OLD),
        ([job(version_arn=OLD)], {"spec": {"gate": []}}, NEW),
        ([job(version_arn=OLD, **FAILED)], {}, NEW),
        ([job(version_arn=NEW)], {}, NEW),
        ([job(version_arn="other/1")], {}, NEW),
    ],
)
def test_without_campaigns_the_gate_compares_with_the_last_results(jobs, fields, version):
    found, progress = step(*jobs, campaigns=(), **{"spec": {"gate": GATE}, **fields})
    assert progress.version_arn == version
    assert version is not None or found == skipped(DROP)


def test_a_gate_without_a_value_of_earlier_results_warns():
    _, progress = step(campaigns=(), spec={"gate": GATE})
    (warning,) = progress.warnings
    assert warning.startswith("coverage was not compared")


@pytest.mark.parametrize("live", [True, False])
def test_a_gate_that_rejects_a_version_warns_too(live):
    gate = [*GATE, {"metric": "precision", "maxDrop": 0.1}]
    _, progress = step(job(version_arn=OLD), campaigns=(), spec={"gate": gate}, live=live)
    (warning,) = progress.warnings
    assert warning.startswith("precision was not compared")


@pytest.mark.parametrize("campaigns", [SERVED, (campaign(OLD),), (campaign(trial=TRIAL),)])
def test_a_missing_input_fails_whatever_version_could_be_used(campaigns):
    found, _ = step(campaigns=campaigns, input_fingerprint=None)
    assert found.outcome == "FAILED"


DELETION = Deletion("forget", True, False, created_at=NOW - HOUR, ended_at=NOW)
ENDED = DELETION._replace(is_running=False, has_completed=True)


@pytest.mark.parametrize(
    ("jobs", "waited", "deletions", "expected"),
    [
        ([], 0 * HOUR, [ENDED], "creates"),
        ([], 0 * HOUR, [ENDED, DELETION], Step("WAITING", pause=60)),
        ([], 2 * HOUR, [DELETION], Step("WAITING", pause=720)),
        ([], 6 * HOUR, [DELETION], failed("WAITING", "gave up after 6 hours: forget is running")),
        ([job()], 6 * HOUR, [DELETION], WRITTEN),
        ([job(**RUNNING)], timedelta(), [DELETION], Step("WRITING", pause=12)),
    ],
)
def test_no_batch_job_is_created_while_users_are_deleted(jobs, waited, deletions, expected):
    found, _ = step(*jobs, memory={"began_at": NOW - waited}, deletions=deletions)
    created = Step("WRITING", Create(NEW, content()))
    assert found == (created if expected == "creates" else expected)


ABANDONED = (
    f"its last results were made by {NEW}, which no campaign of the solution serves, for example "
    "because it was rolled back"
)
BACK = campaign(OLD, blocked_version_arn=NEW)


@pytest.mark.parametrize(
    ("campaigns", "last_version", "written", "warnings"),
    [
        ([BACK], NEW, OLD, [ABANDONED]),
        ([BACK, campaign("solution/older")], NEW, OLD, [ABANDONED]),
        ([campaign(OLD, good_version_arn=NEW)], NEW, OLD, [ABANDONED]),
        ([campaign(OLD, blocked_version_arn=OLD)], NEW, None, [ABANDONED]),
        ([campaign(None), BACK], NEW, None, [ABANDONED]),
        ([BACK], OLD, None, []),
        ([BACK, campaign(NEW, good_version_arn=OLD)], NEW, None, []),
        ([campaign(OLD, trial=TRIAL)], NEW, None, []),
        ([campaign(NEW)], OLD, NEW, []),
    ],
)
def test_the_results_of_a_version_that_was_rolled_back_are_replaced(
    campaigns, last_version, written, warnings
):
    found, progress = step(job(version_arn=last_version, content="other"), campaigns=campaigns)
    assert (progress.version_arn, progress.warnings) == (written, warnings)
    assert (found.outcome == "SKIPPED") == (written is None)
