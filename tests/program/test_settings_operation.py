"""Proves the messages about notifications, approvals, triggers, the age of models and the price."""

from datetime import date

import pytest

import settings
from components.args import ApprovalArgs, NotificationsArgs
from tests.program.sample_stack import (
    PROJECT,
    Refused,
    changed,
    error_of,
    one_problem,
    refused,
    refused_without_value,
    texts,
)

EMAIL = "notifications.emails[0]"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:personalize-reports"
APPROVAL = "solutions[0].approval"
ON_EXPORT = {"trigger.onExport": True, "limits.maxTrainingsPerMonth": 35}
MARKER = "datasets.interactions.readyMarker"


def refused_email(address):
    return Refused(
        {"notifications.emails": [address]},
        f"{EMAIL}: {address!r} is not an email address; expected for example 'team@example.com'",
    )


REFUSED = {
    "an address without a domain": refused_email("team"),
    "two addresses in one": refused_email("a@example.com, b@example.com"),
    "an address twice": Refused(
        {"notifications.emails": ["a@example.com", "b@example.com", "a@example.com"]},
        "notifications.emails[2]: 'a@example.com' is listed twice; leave one of them out",
    ),
    "an unknown choice of reports": refused(
        "notifications.on", "failures", "is unknown; expected always or problems"
    ),
    "a subscription as topic": refused(
        "notifications.topicArn",
        f"{TOPIC}:2bcfbf39",
        f"is a subscription; expected a topic, for example '{TOPIC}'",
    ),
    "a topic in another region": Refused(
        {"notifications.topicArn": TOPIC.replace("eu-west-1", "us-east-1")},
        f"notifications.topicArn: '{TOPIC.replace('eu-west-1', 'us-east-1')}' is in region "
        "us-east-1, but datasets.interactions.datasetArn is in region eu-west-1; correct one of "
        "the ARNs, because all of them need the same region",
    ),
    "an approval without time": refused(
        f"{APPROVAL}.timeoutHours", 0, "is not above 0; expected a number of hours, for example 72"
    ),
    "an approval for half a year": refused(
        f"{APPROVAL}.timeoutHours",
        4000,
        "is more than 2160 hours; set at most 2160, because a version that old is better trained "
        "again",
    ),
    "no age": refused(
        "limits.maxModelAgeDays",
        0,
        "is not a possible age; expected a number of days above 0 and at most 3650",
    ),
    "a negative price": refused(
        "trainingHourPrice", -1, "is not a price in dollars, for example 0.24"
    ),
    "a trigger without a marker": Refused(
        ON_EXPORT,
        "trigger.onExport: needs a ready marker, whose arrival starts the run; set for example "
        "datasets.interactions.readyMarker to 's3://bucket/{date}.SUCCESS'",
    ),
    "a marker without the day": Refused(
        {**ON_EXPORT, MARKER: "s3://movies-exports/interactions.SUCCESS"},
        f"{MARKER}: 's3://movies-exports/interactions.SUCCESS' needs {{date}} with "
        "trigger.onExport, because the day in the marker says which exports belong together; "
        "write for example 's3://bucket/{date}.SUCCESS'",
    ),
    "a trigger without a limit of trainings": Refused(
        {"trigger.onExport": True, MARKER: "s3://movies-exports/{date}.SUCCESS"},
        "limits.maxTrainingsPerMonth: missing; trigger.onExport needs it, because the number of "
        "exports is not known; set for example 35, or 0 for no limit",
    ),
    "an empty topic": refused_without_value(
        "notifications.topicArn",
        "",
        f"empty; leave it out or name a topic, for example '{TOPIC}'",
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_cannot_be_right_is_refused(changes, line):
    assert error_of(changed(changes)) == one_problem(line)


def test_every_setting_for_the_operation_is_read():
    args = settings.parse(
        changed(
            {
                "notifications.emails": ["team@example.com"],
                "notifications.topicArn": TOPIC,
                "notifications.on": "problems",
                APPROVAL: {"timeoutHours": 12},
                "trainingHourPrice": "0.24",
                MARKER: "s3://movies-exports/{date}.SUCCESS",
                **ON_EXPORT,
            }
        )
    )
    assert args.notifications == NotificationsArgs(
        emails=("team@example.com",), topic_arn=TOPIC, on="problems"
    )
    assert args.solutions[0].approval == ApprovalArgs(timeout_hours=12)
    assert args.training_hour_price == 0.24
    assert args.trigger.on_export is True


def test_an_empty_approval_has_the_default_time():
    args = settings.parse(changed({APPROVAL: {}}))
    assert args.solutions[0].approval == ApprovalArgs(timeout_hours=72)


def test_an_approval_without_campaigns_is_warned_of():
    warnings = []
    changes = {APPROVAL: {}, "solutions[0].campaigns": [], "solutions[0].qualityGateEnabled": False}
    settings.parse_stack(
        PROJECT, "dev", texts(changes), today=date(2026, 11, 24), warn=warnings.append
    )
    assert warnings == [
        (
            f"{PROJECT}:{APPROVAL}: has no effect, because a version is approved for the campaigns "
            "of its solution and this solution has none; add campaigns or leave the approval out"
        )
    ]
