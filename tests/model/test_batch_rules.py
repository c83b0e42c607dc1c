"""The rules of a batch job, one row for each situation. tests/model plays them in random order."""

from dataclasses import replace

import pytest
from import_jobs import HOUR, MINUTE, NOW

from functions.rules.batch_jobs import (
    KEYS_OF_RESULTS,
    BatchJob,
    Create,
    Memory,
    SeenBatchJobs,
    WantedBatchJob,
    decide,
    versions_to_compare,
)
from functions.rules.campaigns import CampaignState, CampaignUpdate, DeploymentRecord, Trial
from functions.rules.gate import VersionFacts
from functions.rules.steps import Step, failed

OLD, NEW = "old", "new"
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


def step(*jobs, memory=(), campaigns=SERVED, export="i1", live=False, results=5, **wanted):
    """Return the step of the rules, and the version that they have chosen."""
    remembered = Memory(**{"began_at": NOW, **dict(memory)})
    seen = SeenBatchJobs(jobs=jobs, input=export, campaigns=campaigns)
    on_rejected = "live" if live else "skip"
    settings = {"numResults": results, "onRejected": on_rejected, "maxHours": 6}
    wanted = {"run": "this", "version": NEW, "job": {**UNSET, **settings}, **wanted}
    wanted = WantedBatchJob(**wanted)
    read = {version: VERSIONS[version] for version in versions_to_compare(seen, wanted)}
    return decide(replace(seen, versions=read), wanted, remembered, NOW), remembered


def content(**changes):
    """Return what a job would be created for."""
    return step(**changes)[0].action.content


def job(number=1, **fields):
    """Return a successful batch job of an earlier run, whose content is still present."""
    standard = {
        "arn": f"job-{number}",
        "version": NEW,
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
            [],
            {"export": None},
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


def test_another_version_input_or_setting_is_another_content():
    served = campaign(OLD)
    changes = [{}, {"export": "i2"}, {"results": 6}, {"version": OLD, "campaigns": [served]}]
    assert len({content(**change) for change in changes}) == len(changes)


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
    found, memory = step(campaigns=campaigns, live=live)
    assert memory.version == version
    reason = f"no campaign serves {NEW} as its good version"
    assert found == skipped(reason) if version is None else found.action.version == version


DROP = "coverage fell from 0.5000 to 0.4000, by more than 10%"


@pytest.mark.parametrize(
    ("jobs", "fields", "version"),
    [
        ([], {}, NEW),
        ([job(version=OLD)], {}, None),
        ([job(version=OLD)], {"live": True}, OLD),
        ([job(version=OLD)], {"gate": []}, NEW),
        ([job(version=OLD, **FAILED)], {}, NEW),
        ([job(version=NEW)], {}, NEW),
    ],
)
def test_without_campaigns_the_gate_compares_with_the_last_results(jobs, fields, version):
    found, memory = step(*jobs, campaigns=(), **{"gate": GATE, **fields})
    assert memory.version == version
    assert version is not None or found == skipped(DROP)


def test_a_gate_without_a_value_of_earlier_results_warns():
    _, memory = step(campaigns=(), gate=GATE)
    (warning,) = memory.warnings
    assert warning.startswith("coverage was not compared")
