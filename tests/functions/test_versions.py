"""Tests of how solutions and their versions are read: which is a baseline, and whose tags."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from functions.personalize.approvals import build_approval_tags
from functions.personalize.imports import ImportReader
from functions.personalize.tags import DIGEST_TAG, RUN_TAG, build_api_tags
from functions.personalize.trainings import (
    SolutionReader,
    hash_config,
    read_baseline,
    read_version,
)
from functions.rules.training_data import compute_digest
from functions.rules.versions import NO_VERSION
from tests.functions.samples import NDCG
from tests.workflow.pipeline import deploy
from tests.world import solution_arn

TWO_HOURS = timedelta(hours=2)


def test_automatic_training_and_names_do_not_change_the_digest():
    solution = {"recipeArn": "recipe", "name": "a", "solutionConfig": {}, "performHPO": False}
    automatic = {"solutionConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(1 day)"}}}
    digest = hash_config(solution)

    assert hash_config({**solution, **automatic, "name": "b"}) == digest
    assert hash_config({**solution, "recipeArn": "another"}) != digest
    assert hash_config({**solution, "solutionConfig": {"eventValueThreshold": "1"}}) != digest


NEAREST = {
    ("a", -1): 0,
    ("a", 0.4): 0,
    ("a", 1.4): 2,
    ("a", 2): 2,
    ("a", 2.6): 2,
    ("a", 3.4): None,
    ("aa", 0.4): None,
    ("", 1): None,
    ("b", 2.4): 3,
    ("b", 3.6): 3,
    ("b", 7): None,
    ("c", 5.4): 6,
}
"""The imports and the number of another version -> the number of its baseline."""


def test_the_baseline_is_the_nearest_version_of_a_run_with_the_same_imports():
    """The versions with the numbers 1 and 5 are foreign, 4 fails, and 6 is still in training."""

    def found(imports, number, name="taste"):
        created_at = first_at + number * TWO_HOURS
        version = NO_VERSION._replace(created_at=created_at, digest=f"{imports}-9")
        return read_baseline(pipeline.client, solution_arn(name), version)

    versions = []
    with deploy() as pipeline:
        first_at = pipeline.clock.now() + TWO_HOURS
        for digest in ("a-1", None, "a-2", "b-1", "b-2", None, "c-1"):
            pipeline.sleep(7200)
            if digest == "b-2":
                pipeline.inject_fault("fail", job="solution-version")
            tags = build_api_tags({DIGEST_TAG: digest} if digest else {})
            versions.append(pipeline.foreign_training(f"v{len(versions)}", tags=tags))
        baselines = {case: found(*case) for case in NEAREST}
        assert found("a", 0, "deleted") is None
        pipeline.inject_fault("deny", operation="ListSolutionVersions")
        with pytest.raises(ClientError):
            found("a", 0)
    assert {case: item and versions.index(item.arn) for case, item in baselines.items()} == NEAREST
    assert NDCG in baselines["a", 1.4].metrics
    assert (baselines["c", 5.4].is_running, baselines["c", 5.4].metrics) == (True, {})


def read(pipeline, solution_settings, version_arn):
    """Read a version of the pipeline's solution. Its datasets have had their first imports only."""
    import_reader = ImportReader(pipeline.client, pipeline.group.settings()["datasets"])
    return read_version(pipeline.client, solution_settings, import_reader, version_arn)


def test_a_version_is_read_with_what_the_rules_compare():
    shared = {"trainedBy": "pipeline"}
    relative = {
        **shared,
        "qualityGate": [{"relativeTo": solution_arn()}],
        "approval": {"timeoutHours": 3},
    }
    without_gate = {**shared, "qualityGate": [], "approval": None}
    with deploy() as pipeline:
        tags = {DIGEST_TAG: "a-1", **build_approval_tags("REQUESTED", pipeline.clock.now())}
        arn = pipeline.foreign_training(tags=build_api_tags(tags))
        pipeline.sleep(7200)
        found = read(pipeline, relative, arn)
        baseline = found.baselines[solution_arn()]
        assert (found.approval, baseline.arn) == ("REQUESTED", arn), "it has its own imports"
        assert found.metrics[NDCG] == baseline.metrics[NDCG]
        plain = read(pipeline, without_gate, arn)
        assert plain == found._replace(metrics={}, baselines={}), "nobody compares anything"
        pipeline.sleep(7200)

        assert read(pipeline, relative, arn).approval is None, "it has expired"
        assert read(pipeline, relative, f"{arn}0") == NO_VERSION._replace(arn=f"{arn}0")


def test_only_a_version_without_a_run_is_judged_by_the_imports_before_it():
    judging = {"trainedBy": "personalize", "qualityGate": [], "approval": None}
    tags = build_api_tags({RUN_TAG: "an earlier run", DIGEST_TAG: "a-1"})
    with deploy() as pipeline:
        of_run = read(pipeline, judging, pipeline.foreign_training("a", tags=tags))
        pipeline.sleep(60)
        foreign = read(pipeline, judging, pipeline.foreign_training("b"))
        pipeline.sleep(7200)
        solution = pipeline.client.describe_solution(solutionArn=solution_arn())["solution"]
        reader = SolutionReader(pipeline.client, "personalize")
        newest, older, _ = reader.read_state(solution, imports=[]).versions

    assert (of_run.untrusted_data, of_run.digest) == (None, "a-1"), "its run has asked for it"
    assert "a FULL import that this pipeline did not start" in foreign.untrusted_data
    assert (newest.arn, older.digest) == (foreign.arn, "a-1")
    assert newest.digest == compute_digest([], hash_config(solution))


def test_a_version_that_an_old_list_shows_in_training_is_described():
    with deploy() as pipeline:
        pipeline.foreign_training()
        pipeline.sleep(7200)
        pipeline.inject_fault("stale", operation="ListSolutionVersions", seconds=7000)
        solution = pipeline.client.describe_solution(solutionArn=solution_arn())["solution"]
        newest, _ = SolutionReader(pipeline.client, "pipeline").read_state(solution, []).versions

    assert newest.is_active


def test_the_tags_of_at_most_60_versions_of_somebody_else_are_read(monkeypatch):
    """A poll reads them to find a baseline, or an old version of a run."""
    read = []
    monkeypatch.setattr(
        "functions.personalize.trainings.read_tags", lambda *_: read.append(1) or {}
    )
    with deploy() as pipeline:
        for number in range(70):
            pipeline.foreign_training(f"v{number}")
            pipeline.sleep(7200)
        version = NO_VERSION._replace(created_at=pipeline.clock.now(), digest="a-1")
        assert read_baseline(pipeline.client, solution_arn(), version) is None
        assert len(read) == 60

        pipeline.sleep(31 * 24 * 3600)
        solution = pipeline.client.describe_solution(solutionArn=solution_arn())["solution"]
        SolutionReader(pipeline.client, "pipeline").read_state(solution, [])
        assert len(read) == 60 + 60

        SolutionReader(pipeline.client, "personalize").read_state(solution, [])
    assert len(read) == 60 + 60 + 1, "the newest one is the candidate"
