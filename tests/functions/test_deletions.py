"""Tests of data deletion jobs: how long a run waits for them, and what is stale after them."""

from datetime import timedelta

import pytest

from functions.errors import RunRefused
from functions.personalize.deletions import list_deletions
from functions.planning.deletions import (
    export_with_deleted_users,
    pause_for_deletion,
    uncertain_deletion,
)
from functions.planning.plan_run import plan_run
from functions.planning.solutions import LEARNED_DELETED_USERS
from functions.rules.deletions import Deletion
from tests.functions import samples as s

JOB = f"{s.ARN}:data-deletion-job/forget"
DELETED = Deletion(JOB, False, True, created_at=s.ago(24), ended_at=s.ago(10))
RUNNING = DELETED._replace(is_running=True, has_completed=False)
UNCHANGED = {
    "imports": {s.DATASET: [s.held_import()]},
    "campaigns": {s.CAMPAIGN: s.campaign(solutionVersionArn=s.VERSION)},
    "campaign_tags": {s.CAMPAIGN: {"retraining-good": s.VERSION}},
}
"""The dataset holds its export, and the campaign serves the version that was trained on it."""
LEARNED = s.trained_version()


def view(*deletions, request=None, settings_=None, trainings=(LEARNED,), **changes):
    """Return the view of a run in a group with these deletions, in which nothing else is new."""
    changes = {**UNCHANGED, "trainings": trainings, "deletions": deletions, **changes}
    return s.view(request, settings_, **changes)


# The list


def test_all_pages_of_the_list_are_read(personalize):
    def listed(name, status):
        return {
            "dataDeletionJobArn": f"{s.ARN}:data-deletion-job/{name}",
            "status": status,
            "creationDateTime": s.ago(24),
            "lastUpdatedDateTime": s.ago(10),
        }

    group = {"datasetGroupArn": s.GROUP}
    jobs = [listed("a", "PENDING"), listed("b", "IN_PROGRESS")]
    page = {"dataDeletionJobs": jobs, "nextToken": "more"}
    personalize.expect("list_data_deletion_jobs", page, **group)
    jobs = [listed("forget", "COMPLETED"), listed("c", "FAILED")]
    page = {"dataDeletionJobs": jobs}
    personalize.expect("list_data_deletion_jobs", page, **group, nextToken="more")
    *running, completed, failed = list_deletions(personalize.client, s.GROUP)
    assert [(job.is_running, job.has_completed) for job in running] == [(True, False)] * 2
    assert completed == DELETED
    assert (failed.is_running, failed.has_completed) == (False, False)


# Waiting

MEANWHILE = f"users are being deleted by {JOB}, and nothing may be imported or trained meanwhile"


def pause(deletion, *, waited=0, **request):
    """Return the reason and the seconds of the pause of a run that has waited these hours."""
    seen = view(deletion, request=request)
    run = {**seen.run, "startedAt": s.iso(waited)}
    return pause_for_deletion(type(seen)(**{**vars(seen), "run": run}))


@pytest.mark.parametrize(
    ("age", "waited", "seconds"),
    [(1 / 3600, 0, 1), (1, 0, 360), (24, 0, 1800), (24, 25.75, 900)],
    ids=["just begun", "an hour", "a day", "almost given up"],
)
def test_a_run_looks_at_a_deletion_again_after_a_tenth_of_its_age(age, waited, seconds):
    job = RUNNING._replace(created_at=s.ago(age))
    assert pause(job, waited=waited) == (MEANWHILE, seconds)


def test_a_run_waits_for_26_hours_and_is_refused_then():
    with pytest.raises(RunRefused) as error:
        pause(RUNNING, waited=26)
    (problem,) = error.value.problems
    assert problem == (
        f"{MEANWHILE}; this run has waited for 26 hours; start a run when the job has ended, or "
        "ask AWS Support why it goes on"
    )


def test_only_a_run_that_could_train_waits_and_only_for_a_running_job():
    assert pause(DELETED) is None
    assert pause(RUNNING, only="deployments") is None
    assert pause(RUNNING, skipImport=True) is not None


# Training again


def test_a_solution_is_trained_again_after_a_deletion_although_nothing_is_new():
    assert plan_run(view())["todo"] == "NOTHING"
    seen = view(DELETED)
    assert seen.solutions[0].decision == ("train", "users were deleted since its last training")
    plan = plan_run(seen)
    assert [item["existingVersionArn"] for item in plan["solutions"]] == [None]
    assert (plan["imports"], plan["warnings"]) == ([], [])
    assert plan["dataDeletionJob"] == {
        "dataDeletionJobArn": JOB,
        "completedAt": DELETED.ended_at.isoformat(),
    }


@pytest.mark.parametrize(
    ("deletion", "changes"),
    [
        (DELETED._replace(ended_at=LEARNED.created_at), {}),
        (DELETED._replace(has_completed=False), {}),
        (RUNNING, {}),
        (DELETED, {"trainings": []}),
        (DELETED, {"request": {"only": "deployments"}}),
    ],
    ids=["before its training", "failed", "running", "never trained", "only deployments"],
)
def test_a_deletion_is_named_only_if_a_solution_is_trained_because_of_it(deletion, changes):
    assert plan_run(view(deletion, **changes))["dataDeletionJob"] is None


def test_an_update_would_keep_what_the_model_has_learned_so_the_training_is_full():
    settings = s.settings(solutions=[s.solution_settings(trainingMode="UPDATE")])
    modes = [
        view(*deletions, settings_=settings).solutions[0].training_mode
        for deletions in ([], [DELETED], [DELETED._replace(ended_at=s.ago(48))])
    ]
    assert modes == ["UPDATE", "FULL", "UPDATE"]


def test_the_monthly_limit_holds_and_says_that_deleted_users_are_still_known():
    plan = plan_run(view(DELETED, settings_=s.limits(maxTrainingsPerMonth=1)))
    assert (plan["todo"], plan["dataDeletionJob"]) == ("NOTHING", None)
    assert plan["reason"].endswith(f"use retrain start --force; {LEARNED_DELETED_USERS}")


# Guards

OLD = s.s3_object(key="old.csv", modified_at=s.ago(24, seconds=1))
NEW = s.s3_object(key="new.csv", modified_at=s.ago(24))


@pytest.mark.parametrize(
    ("files", "deletions", "is_refused"),
    [
        ([NEW], [DELETED], False),
        ([OLD], [DELETED], True),
        ([OLD], [RUNNING], True),
        ([OLD], [DELETED._replace(has_completed=False)], False),
        ([OLD], [DELETED, DELETED._replace(created_at=s.ago(100))], True),
        ([NEW, OLD, NEW], [DELETED], True),
        ([NEW, OLD], [], False),
    ],
    ids=["newer", "older", "running", "failed", "two jobs", "one of three", "no job"],
)
def test_an_export_from_before_the_last_deletion_is_refused(files, deletions, is_refused):
    exports = {s.DATASET: s.export(location="s3://exports/all/", objects=files)}
    url = "s3://exports/old.csv"
    message = (
        f"1 of {len(files)} objects at s3://exports/all/ were written before {JOB} began, so an "
        "import could bring the deleted users back; write the export again without them, or "
        f"confirm that {url} never had them with `aws s3 cp {url} {url} --metadata-directive "
        "REPLACE`, which makes it new"
    )
    found = s.messages(export_with_deleted_users, exports=exports, deletions=deletions)
    assert found == [message] * is_refused


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        *(("interactions", True), ("users", True), ("actionInteractions", True)),
        *(("items", False), ("actions", False)),
    ],
)
@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_only_datasets_with_users_are_checked_in_both_modes(name, is_refused, mode):
    dataset = s.dataset_of_run(type=name, importMode=mode)
    exports = {s.DATASET: s.export(objects=[OLD])}
    found = s.messages(
        export_with_deleted_users, dataset=dataset, exports=exports, deletions=[DELETED]
    )
    assert len(found) == is_refused


MINUTE = timedelta(minutes=1)
BEFORE, AFTER = DELETED.created_at, DELETED.ended_at


@pytest.mark.parametrize(
    ("job", "is_named"),
    [
        ({"created_at": BEFORE - MINUTE, "ended_at": BEFORE}, False),
        ({"created_at": BEFORE - MINUTE, "ended_at": BEFORE + MINUTE}, True),
        ({"created_at": AFTER - MINUTE, "ended_at": AFTER + MINUTE}, True),
        ({"created_at": AFTER, "ended_at": AFTER + MINUTE}, False),
        ({"created_at": BEFORE - MINUTE, "ended_at": BEFORE - MINUTE, "is_running": True}, True),
    ],
    ids=["before", "at its start", "at its end", "after", "still running"],
)
def test_a_job_that_ran_during_a_deletion_is_named(job, is_named):
    foreign = s.trained_version(arn=s.FOREIGN_VERSION, run=None, **job)
    imports = {s.DATASET: [s.held_import(), s.imported(arn="foreign", is_full=False, **job)]}
    message = (
        "{} was running at the same time as {}, so AWS does not guarantee that the users are "
        "deleted; create another data deletion job with the same file"
    )
    for seen, arn in (
        (view(DELETED, trainings=[foreign, LEARNED]), s.FOREIGN_VERSION),
        (view(DELETED, imports=imports), "foreign"),
    ):
        found = list(uncertain_deletion.check(seen))
        assert found == [message.format(arn, JOB)] * is_named
