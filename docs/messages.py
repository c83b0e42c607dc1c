"""Prints the page about messages, with the texts that the program sends for three example runs.

Use: `python -m docs.messages > docs/messages.md`.
"""

import copy
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from components.alarms import ALARMS, build_alarm_inputs
from components.constants import PIPELINE_DIMENSION
from docs.events import EXAMPLE
from functions.report.mail import format_report, format_subject

if TYPE_CHECKING:
    from functions.report.model import Report

REJECTED = {
    "outcome": "REJECTED",
    "reasons": [{"text": "NDCG@10 fell from 0.3123 to 0.0307, by more than 25%"}],
    "metrics": [
        {
            "metric": "normalized_discounted_cumulative_gain_at_10",
            "new": 0.0307,
            "served": 0.3123,
            "change": -0.9017,
            "newBaseline": None,
            "servedBaseline": None,
            "hasDropped": True,
            "hasBaselineDropped": False,
        }
    ],
}
"""What differs at the campaign after a worse model."""
ROLLED_BACK = {
    "outcome": "ROLLED_BACK",
    "reasons": [{"text": "taste/6f1b failed its probe: 0 results, fewer than minResults 5"}],
}
"""What differs at the campaign after bad answers."""
ALARM = next(alarm for alarm in ALARMS if alarm.name == "model-too-old")

PAGE = """\
# Messages

This page is generated from the texts of the program: `python -m docs.messages > docs/messages.md`.

Each run sends one message to an SNS topic. The subject has the outcome and the pipeline. The
message says why a run needs you and what to do, with commands to paste, then what the campaigns
serve, the metrics before and after, and what was imported. If it would be too long, its end is cut.
A failed execution has the same text as its cause. Name the addresses in the config:

```bash
# CHANGES AWS
pulumi config set --path 'notifications.emails[0]' on-call@example.com -s "$STACK" &&
  pulumi up -s "$STACK"
```

- **Confirm the address.** AWS sends a mail with a link, and deletes a subscription that is not
  confirmed within 48 hours. Then remove the address from the config, deploy, and add it again.
- **Only problems**: with `notifications.on: problems`, a message comes after FAILED, ROLLED_BACK,
  REJECTED and AWAITING_APPROVAL, and if a campaign serves a version that is still on trial or has
  failed its trial. It also comes for warnings that somebody has to act on: a data deletion job that
  failed, deleted users whom a campaign still knows, a batch input that is missing, a recommender
  that is not ACTIVE, and whatever a job of the run warns of, for example that an alarm of its bake
  does not exist. A run that fails again only because it cannot end a
  trial sends no message at all.
- **Once**: a version that was rejected, refused, rolled back or skipped is reported by one run.
  Later runs come to the same verdict, and say nothing. If the run dies before its report, the next
  one reports it.
- **Another topic**: `notifications.topicArn`. Its policy has to let `cloudwatch.amazonaws.com`
  publish the alarms.
- **Filters**: each message has the attributes `pipeline`, `outcome` and `trigger` for the
  [filter policy](https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html) of a
  subscription. Alarms have no attributes, so a subscription with a policy gets them only if its
  policy accepts messages without attributes. `retrain test-alarm` names such subscriptions.
- **Slack and Teams**: in the console of Amazon Q Developer in chat applications (formerly AWS
  Chatbot), configure the channel and choose the topic (`pulumi stack output topic_arn`).
  Subscriptions with HTTPS get the text as a
  [custom notification](https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html),
  which these applications show.
- **Programs** read the [event](events.md) of each run instead.

A message may come twice. If SNS does not take a message, the run goes on as usual, and the log has
a record with `undeliveredReports`. To see if a message arrives:
`retrain test-alarm -s "$STACK"`.

## A version was deployed

{deployed}

## A version was rejected

<picture>
  <source media="(prefers-color-scheme: dark)" srcset="pictures/message-dark.svg">
  <img alt="The message below on a phone" src="pictures/message-light.svg" width="320">
</picture>

{rejected}

## A version was rolled back

{rolled_back}

## An alarm

The mail of an alarm is written by CloudWatch, which adds the name of the alarm, its state and the
time. This is the description in it, here of `{alarm_name}`:

    {alarm_description}
"""


def page() -> str:
    """Return the whole page."""
    alarm = build_alarm_inputs(ALARM, "retraining-prod", {PIPELINE_DIMENSION: ""}, 0)
    return PAGE.format(
        deployed=_show(_format_message(EXAMPLE)),
        rejected=_show(rejected_message()),
        rolled_back=_show(_format_message(_keep_previous_version(ROLLED_BACK))),
        alarm_name=ALARM.name,
        alarm_description=alarm["alarm_description"],
    )


def _keep_previous_version(campaign_changes: Mapping[str, object]) -> dict[str, Any]:
    """Return a report like the example, whose campaign still serves the previous version."""
    report = copy.deepcopy(EXAMPLE)
    report["outcome"] = campaign_changes["outcome"]
    (solution,) = report["solutions"]
    solution["outcome"] = campaign_changes["outcome"]
    solution["batchJobs"] = []
    (campaign,) = solution["campaigns"]
    campaign.update(campaign_changes)
    report["serving"][0]["servedVersionArn"] = campaign["previousVersionArn"]
    return report


def rejected_message() -> str:
    """Return the message about a version that the quality gate rejects."""
    return _format_message(_keep_previous_version(REJECTED))


def _format_message(report: Mapping[str, object]) -> str:
    """Return the subject and the text of the message about a run."""
    typed_report = cast("Report", report)
    return f"Subject: {format_subject(typed_report)}\n\n{format_report(typed_report).rstrip()}"


def _show(message: str) -> str:
    """Return a message as a block of the page."""
    return f"```text\n{message}\n```"


if __name__ == "__main__":
    sys.stdout.write(page())
