"""Two stacks of one account whose runs start at the same time do not touch each other."""

from tests.end_to_end.test_happy_path import RUN_ID


def test_both_runs_overlap_and_update_their_campaigns(first_runs):
    run = first_runs.run
    films_run = first_runs.films_run
    assert films_run.execution["startDate"] < run.execution["stopDate"], "the runs overlap"
    assert (run.report["outcome"], films_run.report["outcome"]) == ("DEPLOYED", "DEPLOYED")


def test_the_import_jobs_of_both_have_different_names(first_runs):
    stack = first_runs.stack
    films = first_runs.films
    pages = stack.client("personalize").get_paginator("list_dataset_import_jobs").paginate()
    names = [job["jobName"] for page in pages for job in page["datasetImportJobs"]]

    assert sorted(name for name in names if f"-{RUN_ID}-" in name) == sorted(
        [
            *(f"{stack.job_prefix}-{RUN_ID}-{key}" for key in ("interactions", "items", "users")),
            *(f"{films.job_prefix}-{RUN_ID}-{key}" for key in ("interactions", "users")),
        ]
    )
    assert stack.job_prefix != films.job_prefix
