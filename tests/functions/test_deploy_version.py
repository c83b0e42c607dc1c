"""Tests of `deploy_version` against the emulator: what it reads, sends and remembers.

tests/model shows what the rules decide.
"""

import json
import math
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from components.args import DEFAULT_GATE
from functions.deploy_version import handler, send_probe_request
from functions.personalize.approvals import build_approval_tags, find_approval_status
from functions.personalize.campaigns import (
    build_record_tags,
    build_update_request,
    parse_record,
)
from functions.personalize.tags import (
    APPROVAL_TAG,
    BLOCKED_VERSION_TAG,
    GOOD_VERSION_TAG,
    TRIAL_TAG,
    write_tags,
)
from functions.rules.campaigns import DeploymentRecord, Trial
from functions.rules.probing import Response
from tests.functions.samples import (
    CAMPAIGN,
    NDCG,
    NOW,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    campaign,
    planned_campaign,
    run,
)
from tests.workflow.pipeline import deploy
from tests.world import MOVIES, PERSONALIZE, campaign_arn, solution
from tests.world import campaign as campaign_args

PROBED = MOVIES.with_solutions(solution(campaigns=[campaign_args("home", user_id="u1")]))


def deploy_once(pipeline, version, status=None, *, own=True):
    """Invoke the function as the state machine does, and return the status."""
    started_at = {"startedAt": pipeline.clock.now().isoformat()}
    event = {
        "settings": pipeline.group.settings(),
        "run": run(**started_at),
        "training": {"arn": version, "isNew": own},
        "campaign": {**planned_campaign(), "campaignArn": campaign_arn()},
        "status": status,
        "error": None,
    }

    return json.loads(json.dumps(handler(json.loads(json.dumps(event)), None)))


def next_statuses(pipeline, version, status):
    """Yield the items of the next invocations, each after the pause of the one before."""
    while True:
        pipeline.sleep(status["seconds"])
        status = deploy_once(pipeline, version, status)
        yield status


def finish(pipeline, version, status):
    """Invoke the function until the deployment has an outcome, and return the last status."""
    return next(status for status in next_statuses(pipeline, version, status) if status["outcome"])


def trained(pipeline):
    """Train a version, and return its ARN."""
    arn = pipeline.foreign_training(f"version-{len(pipeline.versions())}")
    pipeline.sleep(7200)
    return arn


# One deployment


def test_a_deployment_goes_on_from_its_item_until_the_version_is_kept(caplog):
    caplog.set_level("INFO", "retraining.metrics")
    (probed,) = PROBED.solutions
    with deploy(PROBED.with_solutions(replace(probed, quality_gate=DEFAULT_GATE * 2))) as pipeline:
        old = pipeline.versions()[0]
        new = trained(pipeline)
        better = {"operation": "GetSolutionMetrics", "of": new, "values": {NDCG: 0.9}}
        pipeline.inject_fault("metrics", **better)
        began_at = pipeline.clock.now()
        statuses = [deploy_once(pipeline, new)]
        sent = [call.operation for call in pipeline.personalize.calls]
        assert sent.index("TagResource") < sent.index("UpdateCampaign"), "a run may die in between"
        while statuses[-1]["outcome"] is None:
            statuses.append(next(next_statuses(pipeline, new, statuses[-1])))

    *unfinished, status = statuses
    phases = [status["phase"] for status in unfinished]
    assert phases == ["UPDATING", "ON_TRIAL", "ON_TRIAL"], "14 minutes each, or a tag is due"
    assert (status["versionArn"], status["previousVersionArn"]) == (new, old)
    assert status["endedAt"] > status["createdAt"] >= began_at.isoformat()
    assert [values["metric"] for values in status["metrics"]] == [NDCG, NDCG]
    written = [vars(record)[NDCG] for record in caplog.records if NDCG in vars(record)]
    assert written == [0.9], "as a metric, at the end, and once for both rules"
    assert status["reasons"] == status["warnings"] == []


@pytest.mark.parametrize("operation", ["DescribeCampaign", "UpdateCampaign"])
def test_an_error_while_a_version_is_on_trial_does_not_end_the_deployment(operation):
    with deploy(PROBED) as pipeline:
        pipeline.inject_fault("no-results", job="solution-version")
        old = pipeline.versions()[0]
        new = trained(pipeline)
        status = deploy_once(pipeline, new)
        pipeline.inject_fault("error", operation=operation, message="not now", times=10)
        status = finish(pipeline, new, status)

        assert pipeline.served_version() == old, "nobody else looks while the run goes on"

    assert status["outcome"] == "ROLLED_BACK"
    assert any("not now" in warning for warning in status["warnings"])


def test_a_new_invocation_that_cannot_poll_finds_the_trial_in_the_tags():
    """The memory of the invocation that has sent the update may be lost."""
    with deploy(PROBED) as pipeline:
        deploy_once(pipeline, new := trained(pipeline))
        pipeline.inject_fault("deny", operation="DescribeCampaign", times=2)
        status = deploy_once(pipeline, new)
        statuses = next_statuses(pipeline, new, status)
        assert [(status["phase"], status["outcome"]) for status in (status, next(statuses))] == [
            ("ON_TRIAL", None)
        ] * 2
        status = next(statuses)

        assert status["progress"]["failing_since"] is None, "pauses would go on growing"
        assert finish(pipeline, new, status)["outcome"] == "DEPLOYED"


def test_an_error_that_nobody_expects_does_not_end_a_trial_either(monkeypatch):
    with deploy(PROBED) as pipeline:
        deploy_once(pipeline, new := trained(pipeline))
        with monkeypatch.context() as broken:
            broken.setattr("functions.deploy_version.build_campaign_state", {}.__getitem__)
            status = deploy_once(pipeline, new)

        assert (status["phase"], status["outcome"], status["seconds"]) == ("ON_TRIAL", None, 60)
        assert status["warnings"][0].startswith("TypeError: ")


@pytest.mark.parametrize("operation", ["DescribeCampaign", "UpdateCampaign"])
def test_an_error_without_a_trial_is_raised_at_once(operation):
    with deploy(PROBED) as pipeline:
        pipeline.inject_fault("deny", operation=operation)
        with pytest.raises(ClientError, match="AccessDeniedException"):
            deploy_once(pipeline, trained(pipeline))
        assert pipeline.record().trial is None, "an update that was denied ends the trial"


def test_an_error_is_raised_after_the_longest_update_if_the_tags_cannot_be_read_either():
    with deploy(PROBED) as pipeline:
        status = deploy_once(pipeline, new := trained(pipeline))
        pipeline.sleep(3600)  # The deadline counts from the first of the errors.
        for operation in ("DescribeCampaign", "ListTagsForResource"):
            pipeline.inject_fault("deny", operation=operation, times=None)

        status = deploy_once(pipeline, new, status)
        assert (status["seconds"], status["outcome"]) == (60, None)
        hours = pipeline.group.settings()["limits"]["maxCampaignHours"]
        pipeline.sleep(hours * 3600 - 1)
        status = deploy_once(pipeline, new, status)
        pipeline.sleep(1)
        with pytest.raises(ClientError, match="AccessDeniedException"):
            deploy_once(pipeline, new, status)


def test_an_update_that_fails_says_why_and_leaves_the_good_version():
    with deploy() as pipeline:
        old = pipeline.served_version()
        new = trained(pipeline)
        pipeline.inject_fault("fail", job="campaign-update", reason="no capacity")
        status = finish(pipeline, new, deploy_once(pipeline, new))
        assert pipeline.record() == DeploymentRecord(good_version_arn=old)

    (reason,) = status["reasons"]
    assert reason["text"] == f"the update to {new} failed: no capacity"
    assert (status["outcome"], status["previousVersionArn"]) == ("FAILED", old)


def test_a_campaign_that_is_in_use_is_asked_again():
    with deploy() as pipeline:
        new = trained(pipeline)
        pipeline.inject_fault("resource-in-use", operation="UpdateCampaign")
        status = deploy_once(pipeline, new)
        assert (status["phase"], status["seconds"], status["outcome"]) == ("UPDATING", 60, None)
        assert pipeline.record().trial is None, "the update was certainly not sent"
        deploy_once(pipeline, new, status)

        assert len(pipeline.requests("UpdateCampaign")) == 2
        assert pipeline.record().trial.version_arn == new


@pytest.mark.parametrize("own, outcome", [(False, "SKIPPED"), (True, None)])
def test_only_a_version_of_this_run_replaces_a_version_that_a_person_has_chosen(own, outcome):
    with deploy() as pipeline:
        good = trained(pipeline)
        new = trained(pipeline)
        write_tags(pipeline.client, campaign_arn(), {GOOD_VERSION_TAG: good})
        pipeline.foreign_update(pipeline.served_version())
        pipeline.sleep(3600)

        assert deploy_once(pipeline, new, own=own)["outcome"] == outcome


@pytest.mark.parametrize("value", ["NaN", math.nan])
def test_a_version_whose_metric_is_no_number_is_rejected(value):
    with deploy() as pipeline:
        new = trained(pipeline)
        pipeline.inject_fault(
            "metrics", operation="GetSolutionMetrics", of=new, values={NDCG: value}
        )
        status = deploy_once(pipeline, new)

    (reason,) = status["reasons"]
    assert reason["text"].startswith("NDCG@10 has the value nan, which is not a finite number; ")


# Requests


INFLUENCE = {"rankingInfluence": {"POPULARITY": 0.5}}


@pytest.mark.parametrize(
    "shown, sent",
    [
        ({}, None),
        ({"itemExplorationConfig": {}, "rankingInfluence": {}}, None),
        (INFLUENCE, INFLUENCE),
        ({"syncWithLatestSolutionVersion": True}, {"syncWithLatestSolutionVersion": False}),
    ],
    ids=["no config", "empty settings", "influence", "sync"],
)
@pytest.mark.parametrize("transactions, sent_transactions", [(0, None), (1, 1)])
def test_an_update_repeats_every_setting_that_the_service_accepts(
    shown, sent, transactions, sent_transactions
):
    described = campaign(campaignConfig=shown, minProvisionedTPS=transactions)
    request = {
        "campaignArn": CAMPAIGN,
        "solutionVersionArn": VERSION,
        "campaignConfig": sent,
        "minProvisionedTPS": sent_transactions,
    }
    given = {key: value for key, value in request.items() if value is not None}

    assert build_update_request(described, VERSION) == given


FILTERED = {
    "filterArn": f"{PERSONALIZE}:filter/genre",
    "filterValues": {"GENRE": '"g1","g2"'},
    "context": {"ITEM_ID": "i2"},
}


@pytest.mark.parametrize(
    "recipe, probe, operation",
    [
        ("user-personalization-v2", {"userId": "u1"}, "GetRecommendations"),
        ("similar-items", {"itemId": "i1"}, "GetRecommendations"),
        ("trending-now", {}, "GetRecommendations"),
        ("personalized-ranking", {"userId": "u1", "inputList": ["i1"]}, "GetPersonalizedRanking"),
    ],
)
@pytest.mark.parametrize("options", [{}, FILTERED], ids=["plain", "filtered"])
def test_a_probe_requests_what_its_campaign_answers(recipe, probe, operation, options):
    unset = {"filterArn": None, "filterValues": {}, "context": {}}
    included, excluded = (f"ItemID WHERE Items.GENRE IN (${name})" for name in ("GENRE", "NO"))
    group = replace(MOVIES, recipe=f"arn:aws:personalize:::recipe/aws-{recipe}")
    numbers = {"numResults": 1} if operation == "GetRecommendations" else {}
    with deploy(group) as pipeline:
        pipeline.client.create_filter(
            name="genre",
            datasetGroupArn=MOVIES.arn,
            filterExpression=f"INCLUDE {included} | EXCLUDE {excluded}",
        )
        pipeline.sleep(600)
        whole = {"minResults": 1, "minutes": 1, **unset, **probe, **options}
        assert send_probe_request(campaign_arn(), whole) == Response()
        request = {"campaignArn": campaign_arn(), **numbers, **probe, **options}

        assert pipeline.requests(operation) == [request]


@pytest.mark.parametrize(
    "fault, failure, is_error",
    [
        (None, " results, fewer than minResults 500", False),
        ("no-item-list", "0 results, fewer than minResults 500", False),
        ("server-error", "InternalServerError", True),
    ],
)
def test_a_bad_response_says_what_is_wrong_with_it(fault, failure, is_error):
    probe = {"userId": "u1", "minResults": 500, "minutes": 1}
    with deploy() as pipeline:
        if fault:
            pipeline.inject_fault(fault, operation="GetRecommendations", times=None)
        response = send_probe_request(campaign_arn(), probe)

    assert failure in response.failure
    assert response.is_error == is_error


# Tags


@pytest.mark.parametrize(
    "written",
    [
        DeploymentRecord(),
        DeploymentRecord(Trial(VERSION, NOW), OLD_VERSION),
        DeploymentRecord(Trial(VERSION, NOW, True)),
        DeploymentRecord(Trial(VERSION, NOW, True, NOW + timedelta(hours=12))),
    ],
)
def test_the_tags_of_a_campaign_are_read_as_they_were_written(written):
    assert parse_record(build_record_tags(written), SOLUTION) == written


@pytest.mark.parametrize(
    "value",
    [
        "nonsense",
        "-",
        VERSION,
        f"{VERSION} soon",
        f"{VERSION} 2026-11-29T03:00:00",
        f"{VERSION} 9999-12-31T23:59:59+00:00",
        f"{SOLUTION}-2/new {NOW.isoformat()}",
    ],
)
def test_a_tag_that_no_run_has_written_says_nothing(value):
    bad = value if value.startswith(f"{SOLUTION}/") else None
    found = parse_record({TRIAL_TAG: value, BLOCKED_VERSION_TAG: value}, SOLUTION)
    assert found == DeploymentRecord(blocked_version_arn=bad)


def test_the_end_of_a_bake_that_is_longer_than_any_says_nothing():
    trial = Trial(VERSION, NOW)
    longer = trial._replace(bake_ends_at=NOW + timedelta(hours=13))
    assert parse_record(build_record_tags(DeploymentRecord(longer)), SOLUTION).trial == trial


HOURS = {"timeoutHours": 24}
REQUESTED = build_approval_tags("REQUESTED", NOW)
WHEN = NOW.isoformat()


@pytest.mark.parametrize(
    "tags, later, answer",
    [
        (REQUESTED, 24, "REQUESTED"),
        (REQUESTED, 24.1, None),
        (build_approval_tags("APPROVED", NOW, "boss"), 99, "APPROVED"),
        (build_approval_tags("REFUSED", NOW, "boss"), 99, "REFUSED"),
        ({APPROVAL_TAG: "soon"}, 0, None),
        ({APPROVAL_TAG: f"GRANTED {WHEN} me"}, 0, None),
        ({APPROVAL_TAG: "APPROVED 2026-11-29"}, 0, None),
        ({}, 0, None),
    ],
)
def test_the_answer_about_a_version_is_in_one_tag(tags, later, answer):
    assert find_approval_status(tags, HOURS, NOW + timedelta(hours=later)) == answer
