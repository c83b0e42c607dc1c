"""Proves that `doctor` and `plan` print how a deleted campaign is created again."""

import shlex

import pytest

from retrain.look.lost_campaigns import describe_lost_campaign
from retrain.names import short_name
from tests.retrain.in_process import account
from tests.world import HOUR, MOVIES, campaign_arn

ARN = campaign_arn()
KNOWN = "2026-12-03 03:00 UTC"
OUTAGE = f"{ARN}: was deleted or never created, so its users get errors"


@pytest.fixture
def prod():
    """Return an account with a pipeline whose campaign serves its first version."""
    with account(MOVIES) as prod:
        yield prod


def delete_campaign(prod):
    prod.pipeline.client.delete_campaign(campaignArn=ARN)
    prod.pipeline.sleep(HOUR)


def finding(prod):
    """Return text and command of the only finding about the campaign."""
    rows = prod.retrain("doctor -s prod --json").document["checks"]
    (row,) = [row for row in rows if row["text"].startswith(ARN)]
    assert (row["check"], row["level"]) == ("campaigns", "missing")
    return row["text"], row["command"]


def create(prod, command):
    """Run a printed command of the AWS CLI."""
    aws, service, operation, *options = shlex.split(command)
    assert (aws, service, operation) == ("aws", "personalize", "create-campaign")

    names = {
        "--name": "name",
        "--solution-version-arn": "solutionVersionArn",
        "--min-provisioned-tps": "minProvisionedTPS",
    }
    request = {names[key]: value for key, value in zip(options[::2], options[1::2], strict=True)}
    if "minProvisionedTPS" in request:
        request["minProvisionedTPS"] = int(request["minProvisionedTPS"])
    prod.pipeline.client.create_campaign(**request)
    prod.pipeline.sleep(HOUR)


def test_it_is_created_again_with_the_version_that_had_passed_and_its_capacity(prod):
    prod.pipeline.client.update_campaign(campaignArn=ARN, minProvisionedTPS=3)
    prod.pipeline.sleep(HOUR)
    prod.pipeline.run()
    passed = prod.pipeline.served_version()
    prod.pipeline.upload_worse_data()
    prod.pipeline.run(scheduledTime="2026-12-06T03:00:00Z")
    assert prod.pipeline.versions()[-1] != passed, "the newest version was rejected"

    delete_campaign(prod)
    text, command = finding(prod)
    known = f"{short_name(passed)}, which had passed there by 2026-11-29 07:50 UTC"
    assert text == f"{OUTAGE}; create it with {known}"
    assert command.endswith(f" {passed} --min-provisioned-tps 3")
    plan = prod.retrain("plan -s prod").out
    assert f"`{command}`\nPlan: refused, 1 problem." in plan, "the guard's problem is left out"

    create(prod, command)
    assert prod.pipeline.served_version() == passed
    checks = prod.retrain("doctor -s prod --json").document["checks"]
    assert "campaigns" not in [row["check"] for row in checks]


def test_without_a_report_the_newest_version_is_named_with_a_warning(prod):
    served = prod.pipeline.served_version()
    delete_campaign(prod)
    text, command = finding(prod)
    unknown = "no report of a run says which version had passed there, so check the newest one"
    assert text == f"{OUTAGE}; {unknown}, and create it"
    assert command.endswith(f" --solution-version-arn {served}"), "the capacity is not known"


def report(version, ended_at, **changes):
    """Return what matters of the report of a run after which the campaign served a version."""
    serving = {
        "campaignArn": ARN,
        "servedVersionArn": version,
        "minProvisionedTPS": 2,
        "versionOnTrial": None,
        "isBad": False,
        **changes,
    }
    return {"endedAt": ended_at, "serving": [serving]}


@pytest.mark.parametrize(
    "last_report",
    [
        report("v4", "2026-12-04T03:00:00Z", versionOnTrial="v4"),
        report("v4", "2026-12-04T03:00:00Z", isBad=True),
        report("gone", "2026-12-04T03:00:00Z"),
        report(None, "2026-12-04T03:00:00Z"),
        report("v4", "2026-12-04T03:00:00Z", campaignArn=f"{ARN}-2"),
    ],
)
def test_a_version_counts_if_it_exists_and_was_not_on_trial(last_report):
    reports = [last_report, report("v3", "2026-12-03T03:00:00Z"), report("v2", "2026-12-02")]
    message = describe_lost_campaign(ARN, ["v4", "v3", "v2"], reports)
    assert message["text"] == f"{OUTAGE}; create it with v3, which had passed there by {KNOWN}"
    assert message["command"].endswith(" --solution-version-arn v3 --min-provisioned-tps 2")


def test_without_any_version_there_is_nothing_to_create():
    no_version = f"{OUTAGE}, and its solution has no version yet that it could serve"
    assert describe_lost_campaign(ARN, [], [report("v3", "2026-12-03")]) == {"text": no_version}
