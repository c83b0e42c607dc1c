"""The rules of a batch job, one row for each situation. tests/model plays them in random order."""

from dataclasses import replace

import pytest
from import_jobs import HOUR, MINUTE, NOW

from functions.rules.batch_jobs import (
    HASHED_SETTINGS,
    WRITTEN,
    BatchJob,
    BatchProgress,
    BatchSpec,
    BatchState,
    add_versions,
    decide,
)
from functions.rules.campaigns import CampaignState, CampaignUpdate, DeploymentRecord, Trial
from functions.rules.steps import Step, fail
from functions.rules.trainings import Deletion
from functions.rules.versions import NO_VERSION

OLD = "solution/old"
NEW = "solution/new"
UNSET = dict.fromkeys(HASHED_SETTINGS)
VERSIONS = {
    OLD: NO_VERSION._replace(created_at=NOW - 9 * HOUR, metrics={"coverage": 0.5}),
    NEW: NO_VERSION._replace(created_at=NOW - 2 * HOUR, metrics={"coverage": 0.4}),
}


def campaign(served_version_arn=NEW, **record):
    """Return a campaign that serves a version, which has passed here unless `record` differs."""
    update = CampaignUpdate(
        version_arn=served_version_arn, created_at=NOW - HOUR, ended_at=NOW - HOUR
    )
    record = DeploymentRecord(**{"good_version_arn": served_version_arn, **record})

    return CampaignState(served_version_arn=served_version_arn, update=update, record=record)


def step(
    *jobs,
    newest=NEW,
    gate=(),
    on_rejected="skip",
    results=5,
    waited=3 * MINUTE,
    sent_at=None,
    delayed_by="",
    versions=VERSIONS,
    **state,
):
    """Return the step of the rules."""
    settings = {**UNSET, "numResults": results, "onRejected": on_rejected, "maxHours": 6}
    spec = BatchSpec(run_id="this", newest_version_arn=newest, settings=settings, gate=gate)
    progress = BatchProgress(NOW - waited, sent_at, delayed_by)
    before = replace(progress)
    state = BatchState(jobs=jobs, **{"campaigns": [campaign()], "input_hash": "i1", **state})
    found = decide(add_versions(state, spec, versions.__getitem__), spec, progress, NOW)
    assert progress == before, "rules only return steps"

    return found


CREATED = step()._replace(progress_changes={})
CONTENT = CREATED.action.content_hash


def job(number=1, **fields):
    """Return a successful batch job of an earlier run, whose content is still present."""
    standard = {
        "arn": f"job-{number}",
        "version_arn": NEW,
        "is_running": False,
        "is_active": True,
        "created_at": NOW - 2 * HOUR,
        "ended_at": NOW - HOUR,
        "run_id": "earlier",
        "content_hash": CONTENT,
    }

    return BatchJob(**{**standard, **fields})


def running(created_at=NOW - 2 * HOUR):
    return job(is_running=True, is_active=False, content_hash="other", created_at=created_at)


FAILED = {"is_active": False}
FOLLOWED = Step("WRITING", pause=12)
LATE = (
    "job-1 is still running after 6 hours; it goes on, because no batch job can be stopped, and "
    "the next run waits for it"
)
DELETION = Deletion("forget", True, False, created_at=NOW - HOUR, ended_at=NOW)
ENDED = DELETION._replace(is_running=False, has_completed=True)
DELETING = {"deletions": [ENDED, DELETION]}
GAVE_UP = "gave up after 6 hours"


@pytest.mark.parametrize(
    "jobs, fields, expected",
    [
        ([job()], {}, WRITTEN),
        ([job(**FAILED)], {}, CREATED),
        ([job(2, content_hash="other"), job()], {}, CREATED),
        ([job(content_hash=None)], {}, CREATED),
        ([job(run_id="this", content_hash="other")], {}, WRITTEN),
        ([job(run_id="this", **FAILED, failure="no")], {}, fail("WRITING", "no")),
        ([job(run_id="this", **FAILED)], {}, fail("WRITING", "job-1 has failed without a reason")),
        ([running()], DELETING, FOLLOWED),
        ([running(NOW - 7 * HOUR)], {"waited": 6 * HOUR}, fail("WRITING", LATE)),
        ([running(NOW - 7 * HOUR)], {"waited": 5 * HOUR}, FOLLOWED),
        ([running()], {"waited": 6 * HOUR}, FOLLOWED),
        ([], {"sent_at": NOW - MINUTE}, Step("WAITING", pause=60)),
        ([], {"sent_at": NOW - 4 * MINUTE}, CREATED),
        ([], {"waited": 6 * HOUR, "delayed_by": "busy"}, fail("WAITING", f"{GAVE_UP}: busy")),
        ([], {"deletions": [ENDED]}, CREATED),
        ([], DELETING, Step("WAITING", pause=60)),
        ([], {**DELETING, "waited": 2 * HOUR}, Step("WAITING", pause=720)),
        (
            [],
            {**DELETING, "waited": 6 * HOUR},
            fail("WAITING", f"{GAVE_UP}: forget is running"),
        ),
        ([job()], {**DELETING, "waited": 6 * HOUR}, WRITTEN),
    ],
)
def test_results_are_written_once_and_never_during_another_job_or_a_deletion(
    jobs, fields, expected
):
    assert step(*jobs, **fields)._replace(progress_changes={}) == expected


@pytest.mark.parametrize("jobs", [[job(1), job(2)], [running(), job(2)]])
def test_the_job_that_has_written_the_results_or_is_writing_them_is_remembered(jobs):
    assert step(*jobs).progress_changes.items() >= {"job_arn": "job-1", "version_arn": NEW}.items()


def test_another_version_input_or_setting_is_another_content():
    changes = [
        {"input_hash": "i2"},
        {"filter_expression": "EXCLUDE"},
        {"results": 6},
        {"newest": OLD, "campaigns": [campaign(OLD)]},
    ]
    contents = {step(**change).action.content_hash for change in changes}

    assert len({CONTENT, *contents}) == 5


TRIAL = Trial(NEW, NOW - HOUR)
BACK = campaign(OLD, blocked_version_arn=NEW)


@pytest.mark.parametrize("campaigns", [[campaign()], [campaign(OLD)], [campaign(trial=TRIAL)]])
def test_a_missing_input_fails_whatever_version_could_be_used(campaigns):
    reason = "its input has no objects; check the job that writes it"
    assert step(campaigns=campaigns, input_hash=None) == fail("WRITING", reason)


@pytest.mark.parametrize(
    "campaigns, last_version, on_rejected, version, is_abandoned",
    [
        ([campaign(OLD), campaign()], OLD, "skip", NEW, False),
        ([campaign(good_version_arn=OLD)], NEW, "skip", None, False),
        ([BACK], OLD, "skip", None, False),
        ([BACK], OLD, "live", OLD, False),
        ([campaign(trial=TRIAL)], OLD, "live", None, False),
        ([BACK], NEW, "skip", OLD, True),
        ([BACK, campaign("solution/older")], NEW, "skip", OLD, True),
        ([campaign(OLD, good_version_arn=NEW)], NEW, "skip", OLD, True),
        ([campaign(OLD, blocked_version_arn=OLD)], NEW, "skip", None, True),
        ([campaign(None), BACK], NEW, "skip", None, True),
        ([BACK, campaign(good_version_arn=OLD)], NEW, "skip", None, False),
        ([campaign(OLD, trial=TRIAL)], NEW, "skip", None, False),
    ],
)
def test_a_version_is_written_that_has_passed_on_a_campaign_or_replaces_an_abandoned_one(
    campaigns, last_version, on_rejected, version, is_abandoned
):
    last = job(version_arn=last_version, content_hash="other")
    found = step(last, campaigns=campaigns, on_rejected=on_rejected, versions={})
    warning = (
        f"its last results were made by {last_version}, which no campaign of the solution serves, "
        "for example because it was rolled back"
    )
    assert found.progress_changes["warnings"] == [warning] * is_abandoned
    assert found.progress_changes["version_arn"] == version
    if version:
        assert found.action.version_arn == version
    else:
        reason = f"no campaign serves {NEW} as its good version"
        assert (found.outcome, found.reasons) == ("SKIPPED", [reason])


def test_without_results_there_is_nothing_that_no_campaign_serves():
    found = step(campaigns=[campaign(OLD)])
    assert (found.outcome, found.progress_changes["warnings"]) == ("SKIPPED", [])


GATE = [{"metric": "coverage", "maxDrop": 0.1}, {"metric": "precision", "maxDrop": 0.1}]
BOTH = ["coverage", "precision"]
DROP = "coverage fell from 0.5000 to 0.4000, by more than 10%"


@pytest.mark.parametrize(
    "jobs, fields, version, uncompared",
    [
        ([], {}, NEW, BOTH),
        ([job(version_arn=OLD)], {}, None, ["precision"]),
        ([job(version_arn=OLD)], {"on_rejected": "live"}, OLD, ["precision"]),
        ([job(version_arn=OLD)], {"gate": []}, NEW, []),
        ([job(version_arn=OLD, **FAILED)], {}, NEW, BOTH),
        ([job(version_arn=NEW)], {}, NEW, ["precision"]),
        ([job(version_arn="solution-2/1")], {}, NEW, BOTH),
    ],
)
def test_without_campaigns_the_gate_compares_with_the_last_results(
    jobs, fields, version, uncompared
):
    found = step(*jobs, campaigns=(), **{"gate": GATE, **fields})
    assert found.progress_changes["version_arn"] == version
    assert [text.partition(" ")[0] for text in found.progress_changes["warnings"]] == uncompared
    assert list(found.reasons) == ([] if version else [DROP])


@pytest.mark.parametrize("gate", [GATE, []])
def test_without_campaigns_a_version_with_untrusted_data_is_not_used(gate):
    untrusted = VERSIONS[NEW]._replace(untrusted_data="nobody has confirmed it")
    found = step(campaigns=(), versions={**VERSIONS, NEW: untrusted}, gate=gate)
    assert (found.outcome, found.reasons) == ("SKIPPED", ["nobody has confirmed it"])


@pytest.mark.parametrize(
    "version, waited, outcome",
    [(NEW, HOUR, None), (OLD, HOUR, None), (NEW, 6 * HOUR, "FAILED")],
)
def test_without_campaigns_the_gate_waits_for_baselines(version, waited, outcome):
    baseline = NO_VERSION._replace(arn="base/1", is_running=True, created_at=NOW - MINUTE)
    judged = VERSIONS[version]._replace(baselines={"base": baseline})
    versions = {**VERSIONS, version: judged}
    found = step(job(version_arn=OLD), campaigns=(), waited=waited, versions=versions)

    assert (found.outcome, found.pause) == (outcome, 0 if outcome else 12)
    assert found.reasons[0].endswith("the baseline base/1 is still in training")
