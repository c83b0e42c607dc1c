"""Two stacks that fire in the same minute of one account stay out of each other's way."""

import json
import re

import pytest

from retrain.rehearsal.data.exports import write_newer_exports
from retrain.rehearsal.data.sample_data import SampleData

SLOT = "2031-01-13T03:00:00Z"
RUN = "20310113T030000Z"


@pytest.fixture(scope="module")
def runs(stack, films):
    """The runs of both for one slot, fired at once; since both import, both have newer exports."""
    for each in (stack, films):
        write_newer_exports(each.emulator, each.args, SampleData(), day="2031-01-13")
    started = [(each, each.fire(SLOT)) for each in (stack, films)]
    return [each.ended(arn) for each, arn in started]


def test_both_runs_overlap_and_move_their_campaigns(stack, films, runs):
    first, second = (run.execution for run in runs)
    assert second["startDate"] < first["stopDate"], "they run side by side"
    for each, run in zip((stack, films), runs, strict=True):
        assert (run.status, run.report["status"]) == ("SUCCEEDED", "DEPLOYED")
        assert each.served() == run.version


def test_their_import_jobs_have_names_of_their_own(stack, films, runs):
    del runs
    jobs = [
        job["jobName"]
        for page in stack.client("personalize").get_paginator("list_dataset_import_jobs").paginate()
        for job in page["datasetImportJobs"]
        if f"-{RUN}-" in job["jobName"]
    ]
    assert sorted(jobs) == sorted(
        [
            *(f"{stack.prefix}-{RUN}-{kind}-1" for kind in ("interactions", "items", "users")),
            *(f"{films.prefix}-{RUN}-{kind}-1" for kind in ("interactions", "users")),
        ]
    )
    assert stack.prefix != films.prefix


def test_neither_names_anything_of_the_other_in_any_call(stack, films, runs):
    del runs
    words = {stack.name: f"movies|{stack.prefix}", films.name: f"films|{films.prefix}"}
    named = {stack.name: set(), films.name: set()}
    for call in stack.emulator.control("GET", "personalize/calls"):
        caller = re.search(r":assumed-role/retraining-(\w+)-", call["caller"])
        if caller:
            requested = json.dumps(call["request"])
            for owner, pattern in words.items():
                if re.search(pattern, requested):
                    named[caller[1]].add(owner)
    assert named == {stack.name: {stack.name}, films.name: {films.name}}
