"""Tests of data deletion jobs: how long a run waits for them, and what is stale after them."""

from dataclasses import replace

import pytest

from functions.common.errors import RunRefused
from functions.personalize.lists import list_deletions
from functions.planning.export_guards import refuse_export_with_deleted_users
from functions.planning.plan_run import plan_run
from functions.planning.solutions import LEARNED_DELETED_USERS
from functions.rules.trainings import Deletion
from functions.run.admission import pause_for_deletion
from tests.functions import samples as s
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    GROUP,
    OLD_VERSION,
    OTHER_SOLUTION,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    dataset_of_run,
    export,
    held_import,
    iso,
    limits,
    messages,
    run,
    s3_object,
    solution_settings,
    trained_version,
)
from tests.printed import all_printed

JOB = f"{ARN}:data-deletion-job/forget"
DELETED = Deletion(JOB, False, True, created_at=ago(24), ended_at=ago(10))
RUNNING = DELETED._replace(is_running=True, has_completed=False)
FAILED = DELETED._replace(has_completed=False)
UNCHANGED = {
    "imports": [held_import()],
    "campaigns": campaign(solutionVersionArn=VERSION),
    "campaign_tags": {"retraining-good": VERSION},
    "trainings": [trained_version()],
}
"""The dataset holds its export, and the campaign serves the version that was trained on it."""


def view(*deletions, request=None, settings_=None, **changes):
    """Return the view of a run in a group with these deletions, in which nothing else is new."""
    return s.view(request, settings_, **{**UNCHANGED, "deletions": deletions, **changes})


@pytest.mark.parametrize(
    "status, expected",
    [("PENDING", RUNNING), ("IN_PROGRESS", RUNNING), ("COMPLETED", DELETED), ("FAILED", FAILED)],
)
def test_a_job_is_read_from_the_list(personalize, status, expected):
    listed = {"dataDeletionJobArn": JOB, "status": status, "creationDateTime": ago(24)}
    response = {"dataDeletionJobs": [{**listed, "lastUpdatedDateTime": ago(10)}]}
    request = {"datasetGroupArn": GROUP, "maxResults": 100}
    personalize.expect("list_data_deletion_jobs", response, **request)

    assert list_deletions(personalize.client, GROUP) == [expected]


DELETING = f"users are being deleted by {JOB}"


@pytest.mark.parametrize("waited, seconds", [(-1, 1), (1, 360), (24, 1800), (25.75, 900)], ids=str)
def test_a_run_looks_again_after_a_tenth_of_the_time_that_it_has_waited(waited, seconds):
    assert pause_for_deletion([RUNNING], run(startedAt=iso(waited))) == (DELETING, seconds)


def test_a_run_waits_for_26_hours_and_is_refused_then():
    with pytest.raises(RunRefused) as error:
        pause_for_deletion([RUNNING], run(startedAt=iso(26)))

    assert all_printed(error.value.problems) == [
        f"{DELETING}, and this run has waited for 26 hours; start a run when the job has ended"
    ]


def test_only_a_run_that_could_train_waits_and_only_for_a_running_job():
    assert pause_for_deletion([DELETED, FAILED], run()) is None
    assert pause_for_deletion([RUNNING], run({"only": "deployments"})) is None
    assert pause_for_deletion([RUNNING], run({"skipImport": True})) is not None


@pytest.mark.parametrize(
    "deletions, changes, trained, mode, job",
    [
        ([], {}, [], "UPDATE", None),
        ([DELETED], {}, [None], "FULL", JOB),
        ([DELETED], {"trainings": []}, [None], "FULL", None),
        ([DELETED], {"request": {"only": "deployments"}}, [], "FULL", None),
    ],
)
def test_after_a_deletion_a_solution_is_trained_again_in_full_although_nothing_is_new(
    deletions, changes, trained, mode, job
):
    settings = s.settings(solutions=[solution_settings(trainingMode="UPDATE")])
    seen = view(*deletions, settings_=settings, **changes)
    plan = plan_run(seen)
    (solution,) = seen.solutions

    assert [item["existingVersionArn"] for item in plan["solutions"]] == trained
    assert (plan["imports"], solution.training_mode, plan.get("dataDeletionJobArn")) == (
        [],
        mode,
        job,
    )
    assert (solution.decision.reason == LEARNED_DELETED_USERS) == (job is not None)


def test_the_deletion_is_named_if_only_the_second_solution_has_learned_the_users():
    new = solution_settings(solutionArn=OTHER_SOLUTION, campaigns=[])
    two = s.settings(solutions=[new, solution_settings()])
    seen = view(DELETED, settings_=two)
    first, second = seen.solutions
    untrained = replace(first.solution_snapshot, state=replace(first.solution_state, versions=()))
    plan = plan_run(replace(seen, solutions=[replace(first, solution_snapshot=untrained), second]))

    assert (len(plan["solutions"]), plan.get("dataDeletionJobArn")) == (2, JOB)


def test_the_monthly_limit_holds_and_says_that_deleted_users_are_still_known():
    limit = limits(maxTrainingsPerMonth=1)
    plan = plan_run(view(DELETED, settings_=limit))
    assert (plan["todo"], plan.get("dataDeletionJobArn")) == ("NOTHING", None)
    assert plan["reasons"][-1]["text"].startswith(f"taste: {LEARNED_DELETED_USERS}; trainings of ")
    outdated = {"trainings": [trained_version(digest="other")]}
    reasons = plan_run(view(FAILED, settings_=limit, **outdated))["reasons"]

    assert reasons[-1]["text"].startswith("taste: trainings of ")


STALE = (
    f"{CAMPAIGN}: until it gets a newer version, it serves one that may have learned the users "
    f"whom {JOB} deleted; correct what stopped its newer versions, and train again: "
    "`retrain start --skip-import --force`"
)
JUDGED = solution_settings(trainedBy="personalize")
WAITING = STALE.replace(
    "correct what stopped its newer versions, and train again: "
    "`retrain start --skip-import --force`",
    "train a version now, because automatic training may take days to start: "
    f"`aws personalize create-solution-version --solution-arn {SOLUTION}`",
)
NOT_DELETED = f"{JOB} has failed, so its users may not be deleted; start another job"


@pytest.mark.parametrize(
    "deletions, warnings",
    [
        ([DELETED._replace(created_at=ago(25)), FAILED], [NOT_DELETED]),
        ([FAILED, DELETED._replace(created_at=ago(23))], []),
        ([FAILED, RUNNING._replace(created_at=ago(23))], []),
    ],
)
def test_a_failed_deletion_is_a_warning_until_another_one_begins(deletions, warnings):
    found = [
        warning
        for warning in plan_run(view(*deletions))["warnings"]
        if warning["text"].startswith(JOB)
    ]
    assert all_printed(found) == warnings
    assert all(warning["needsPerson"] for warning in found), "nobody else deletes the users"


NEWER = trained_version(arn=OLD_VERSION, created_at=ago(5), ended_at=ago(4))
STOPPED = NEWER._replace(is_active=False, was_stopped=True)


@pytest.mark.parametrize(
    "newer, changes, warnings",
    [
        ([NEWER], {}, [STALE]),
        ([NEWER], {"campaigns": campaign(solutionVersionArn=OLD_VERSION)}, []),
        ([NEWER], {"deletions": [DELETED._replace(ended_at=ago(48))]}, []),
        ([NEWER], {"deletions": [DELETED._replace(ended_at=ago(4))]}, []),
        ([STOPPED], {}, [STALE]),
        ([STOPPED], {"request": {"force": True}}, []),
        ([STOPPED._replace(was_stopped=False)], {}, []),
        ([], {}, []),
        ([], {"request": {"only": "deployments"}}, [STALE]),
        ([], {"settings_": limits(maxTrainingsPerMonth=1)}, [STALE]),
        ([], {"settings_": s.settings(solutions=[JUDGED])}, [WAITING]),
    ],
    ids=[
        "trained",
        "in use",
        "deleted before",
        "trained before the end of the deletion",
        "stopped",
        "asked for",
        "failed",
        "not trained",
        "only deployments",
        "limit",
        "Personalize trains",
    ],
)
def test_deleted_users_who_are_served_are_a_warning_until_a_run_trains(newer, changes, warnings):
    seen = view(DELETED, trainings=[*newer, trained_version()], **changes)
    found = [
        warning
        for warning in plan_run(seen)["warnings"]
        if "may have learned the users" in warning["text"]
    ]
    assert all_printed(found) == warnings
    assert all(warning["needsPerson"] for warning in found)


OLD = s3_object(key="old.csv", modified_at=ago(24, seconds=1))
NEW = s3_object(key="new.csv", modified_at=ago(24))


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
@pytest.mark.parametrize(
    "dataset, files, deletions, is_refused",
    [
        ("interactions", [NEW], [DELETED], False),
        ("interactions", [OLD], [DELETED], True),
        ("interactions", [OLD], [RUNNING], True),
        ("interactions", [OLD], [FAILED], False),
        ("users", [OLD], [DELETED, DELETED._replace(created_at=ago(100))], True),
        ("actionInteractions", [NEW, OLD, NEW], [DELETED], True),
        ("items", [OLD], [DELETED], False),
        ("actions", [OLD], [DELETED], False),
    ],
)
def test_an_export_with_users_from_before_the_last_deletion_is_refused(
    dataset, files, deletions, is_refused, mode
):
    exports = {DATASET: export(location="s3://exports/all/", objects=files)}
    url = "s3://exports/old.csv"
    message = (
        f"1 of {len(files)} objects at s3://exports/all/ were written before {JOB} began, so an "
        "import could bring the deleted users back; write the export again without them, or, "
        f"only if somebody has checked that {url} has none of them, make it new: `aws s3 cp "
        f"{url} {url} --metadata-directive REPLACE`"
    )
    found = messages(
        refuse_export_with_deleted_users,
        dataset=dataset_of_run(type=dataset, importMode=mode),
        exports=exports,
        deletions=deletions,
    )

    assert found == [message] * is_refused


def test_a_run_that_a_stopped_training_skips_says_that_deleted_users_are_still_known():
    seen = view(DELETED, trainings=[STOPPED, trained_version()])
    assert plan_run(seen)["reasons"][-1]["text"] == (
        f"taste: {LEARNED_DELETED_USERS}; the training on its data was stopped"
    )
