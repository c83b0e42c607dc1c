"""Locations, modes, rates, zones, limits and tags that break a rule: the whole message of each."""

from datetime import date

import pytest

import settings
from components.retraining_pipeline import TAG
from components.rules.values import OWN_TAGS
from functions.personalize import tags
from tests.program.sample_stack import (
    ACCOUNT,
    PARTITION,
    changed,
    one_problem,
)

TODAY = date(2026, 11, 24)
RATES = "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
IAM = f"arn:{PARTITION}:iam::{ACCOUNT}"
DATE = "known is {date}, the day of the run as 2026-11-29"
LONG_DAY = f"s3://bucket/{'x' * 233}/{{date}}/"
LONG_PREFIX = f"s3://bucket/{'x' * 250}/"
BROKEN = {
    # Locations.
    "a location is in S3": (
        {"datasets.users.dataLocation": "https://bucket.s3.amazonaws.com/users.csv"},
        (
            "datasets.users.dataLocation: 'https://bucket.s3.amazonaws.com/users.csv' "
            "is no location in S3; expected one like 's3://bucket/users.csv'"
        ),
    ),
    "a location's bucket has a bucket's name": (
        {"datasets.users.dataLocation": "s3://My_Bucket/users.csv"},
        (
            "datasets.users.dataLocation: 's3://My_Bucket/users.csv' has 'My_Bucket' as bucket, "
            "which is no bucket's name; expected one like 's3://bucket/users.csv'"
        ),
    ),
    "a location is short": (
        {"datasets.users.dataLocation": LONG_PREFIX},
        (
            f"datasets.users.dataLocation: '{LONG_PREFIX}' is {len(LONG_PREFIX)} characters long; "
            "Personalize takes at most 256"
        ),
    ),
    "a location is no whole bucket": (
        {"datasets.users.dataLocation": "s3://bucket"},
        (
            "datasets.users.dataLocation: 's3://bucket' is a whole bucket; "
            "name a file or a prefix in it, for example 's3://bucket/users.csv'"
        ),
    ),
    "a location is a file or a prefix": (
        {"datasets.users.dataLocation": "s3://bucket/users"},
        (
            "datasets.users.dataLocation: 's3://bucket/users' is neither a file nor a prefix; "
            "write 's3://bucket/users.csv' or 's3://bucket/users/'"
        ),
    ),
    "a location has no placeholder but the date": (
        {"datasets.users.dataLocation": "s3://bucket/{date}/{hour}/"},
        (
            "datasets.users.dataLocation: 's3://bucket/{date}/{hour}/' has the unknown placeholder "
            f"'{{hour}}'; {DATE}"
        ),
    ),
    "a placeholder is closed": (
        {"datasets.users.dataLocation": "s3://bucket/{date/"},
        (
            "datasets.users.dataLocation: 's3://bucket/{date/' has the unknown placeholder "
            f"'{{'; {DATE}"
        ),
    ),
    "a bucket has no date": (
        {"datasets.users.dataLocation": "s3://exports-{date}/users.csv"},
        (
            "datasets.users.dataLocation: 's3://exports-{date}/users.csv' has 'exports-{date}' as "
            "bucket, which is no bucket's name; expected one like 's3://bucket/users.csv'"
        ),
    ),
    "a location is short with the date filled in": (
        {"datasets.users.dataLocation": LONG_DAY},
        (
            f"datasets.users.dataLocation: '{LONG_DAY}' is 257 characters long; "
            "Personalize takes at most 256"
        ),
    ),
    "a location has no wildcard": (
        {"datasets.users.dataLocation": "s3://bucket/users/part-*.csv"},
        (
            "datasets.users.dataLocation: 's3://bucket/users/part-*.csv' has the wildcard '*', "
            "which Personalize does not know; name a prefix that ends in /, "
            "all files below it are imported, for example 's3://bucket/users/'"
        ),
    ),
    "a location has no wildcard at the bucket's top": (
        {"datasets.users.dataLocation": "s3://bucket/users-?.csv"},
        (
            "datasets.users.dataLocation: 's3://bucket/users-?.csv' has the wildcard '?', "
            "which Personalize does not know; name a prefix that ends in /, "
            "all files below it are imported, for example 's3://bucket/exports/'"
        ),
    ),
    "a location is not compressed": (
        {"datasets.users.dataLocation": "s3://bucket/users.csv.GZ"},
        (
            "datasets.users.dataLocation: 's3://bucket/users.csv.GZ' is no plain CSV, "
            "all that Personalize imports; export it as 's3://bucket/users.csv'"
        ),
    ),
    "a location is of no other format": (
        {"datasets.users.dataLocation": "s3://bucket/users.parquet"},
        (
            "datasets.users.dataLocation: 's3://bucket/users.parquet' is no plain CSV, "
            "all that Personalize imports; export it as 's3://bucket/users.csv'"
        ),
    ),
    "two datasets have two locations": (
        {
            "datasets.items.dataLocation": "s3://bucket/{date}.csv",
            "datasets.users.dataLocation": "s3://bucket/{date}.csv",
        },
        (
            "datasets.users.dataLocation: 's3://bucket/{date}.csv' is datasets.items.dataLocation "
            "as well, so that either dataset would get the other's rows; "
            "give each a place of its own"
        ),
    ),
    "a file is not below another dataset's prefix": (
        {
            "datasets.interactions.dataLocation": "s3://bucket/{date}/interactions/",
            "datasets.items.dataLocation": "s3://bucket/{date}/interactions/items.csv",
        },
        (
            "datasets.items.dataLocation: 's3://bucket/{date}/interactions/items.csv' lies inside "
            "datasets.interactions.dataLocation, where every file is imported; "
            "keep it beside, for example 's3://bucket/{date}/interactions.items.csv'"
        ),
    ),
    "a prefix is not below a later dataset's": (
        {
            "datasets.interactions.dataLocation": "s3://bucket/users/clicks/",
            "datasets.users.dataLocation": "s3://bucket/users/",
        },
        (
            "datasets.interactions.dataLocation: 's3://bucket/users/clicks/' lies inside "
            "datasets.users.dataLocation, where every file is imported; "
            "keep it beside, for example 's3://bucket/users.clicks/'"
        ),
    ),
    # Modes.
    "an import mode is one of two": (
        {"datasets.users.importMode": "Incremental"},
        "datasets.users.importMode: 'Incremental' is unknown; did you mean INCREMENTAL?",
    ),
    "a training mode is one of two": (
        {"solutions[0].trainingMode": "AUTOTRAIN"},
        "solutions[0].trainingMode: 'AUTOTRAIN' is unknown; expected FULL or UPDATE",
    ),
    "a full training stands beside updates": (
        {"solutions[0].fullEvery": "7 days"},
        (
            "solutions[0].fullEvery: '7 days' says when an UPDATE gives way to a FULL training; "
            "leave it out beside FULL"
        ),
    ),
    "a full training comes after days": (
        {"solutions[0].trainingMode": "UPDATE", "solutions[0].fullEvery": "1 week"},
        "solutions[0].fullEvery: '1 week' is no number of days; expected one like '7 days'",
    ),
    # Rates and zones.
    "a rate is one": (
        {"retrainingRate": "weekly"},
        f"retrainingRate: 'weekly' is not a rate; {RATES}",
    ),
    "a rate comes again": (
        {"retrainingRate": "at(2026-11-29T03:00:00)"},
        f"retrainingRate: 'at(2026-11-29T03:00:00)' fires only once; {RATES}",
    ),
    "a rate has a unit of Scheduler's": (
        {"retrainingRate": "1 week"},
        f"retrainingRate: '1 week' has the unit week, which Scheduler does not know; {RATES}",
    ),
    "one day is singular": (
        {"retrainingRate": "rate(1 days)"},
        "retrainingRate: 'rate(1 days)' is not how Scheduler writes it; write 'rate(1 day)'",
    ),
    "several days are plural": (
        {"retrainingRate": "7 day"},
        "retrainingRate: '7 day' is not how Scheduler writes it; write '7 days'",
    ),
    "a rate leaves an hour": (
        {"retrainingRate": "30 minutes"},
        (
            "retrainingRate: '30 minutes' is more often than once an hour, "
            f"less than a training takes; {RATES}"
        ),
    ),
    "a cron leaves an hour": (
        {"retrainingRate": "cron(0/30 3 * * ? *)"},
        (
            "retrainingRate: 'cron(0/30 3 * * ? *)' is more often than once an hour, "
            f"less than a training takes; {RATES}"
        ),
    ),
    "a cron has six fields": (
        {"retrainingRate": "cron(0 3 * * 1)"},
        (
            "retrainingRate: 'cron(0 3 * * 1)' has 5 fields; "
            "a cron of AWS has 6: minutes hours day-of-month month day-of-week year"
        ),
    ),
    "a cron begins with its word": (
        {"retrainingRate": "0 3 ? * MON *"},
        (
            "retrainingRate: '0 3 ? * MON *' is a cron without the word cron; "
            "write 'cron(0 3 ? * MON *)'"
        ),
    ),
    "a cron has one question mark": (
        {"retrainingRate": "cron(0 3 * * * *)"},
        (
            "retrainingRate: 'cron(0 3 * * * *)' must have ? as either day-of-month or "
            "day-of-week, and not as both"
        ),
    ),
    "a cron's fields are in range": (
        {"retrainingRate": "cron(0 25 * * ? *)"},
        "retrainingRate: 'cron(0 25 * * ? *)' has '25' as hours; expected 0 to 23",
    ),
    "a cron's day of the week is in range": (
        {"retrainingRate": "cron(0 3 ? * MON#6 *)"},
        (
            "retrainingRate: 'cron(0 3 ? * MON#6 *)' has 'MON#6' as day-of-week; "
            "expected 1 to 7, SUN to SAT, ?, L or #"
        ),
    ),
    "a cron has no last weekday of the month": (
        {"retrainingRate": "cron(0 3 LW * ? *)"},
        (
            "retrainingRate: 'cron(0 3 LW * ? *)' has 'LW' as day-of-month, which this program "
            "cannot evaluate; write L for the last day of the month, or FRIL as day-of-week for "
            "its last Friday"
        ),
    ),
    "a cron names the last day of the week": (
        {"retrainingRate": "cron(0 3 ? * L *)"},
        (
            "retrainingRate: 'cron(0 3 ? * L *)' has 'L' as day-of-week, which this program "
            "cannot evaluate; write SAT for the last day of the week"
        ),
    ),
    "a cron steps forward": (
        {"retrainingRate": "cron(0 */0 * * ? *)"},
        "retrainingRate: 'cron(0 */0 * * ? *)' has '*/0' as hours; expected 0 to 23",
    ),
    "a cron's day exists": (
        {"retrainingRate": "cron(0 3 31 2 ? *)"},
        f"retrainingRate: 'cron(0 3 31 2 ? *)' is on a day that no month has; {RATES}",
    ),
    "a cron's day exists in its years": (
        {"retrainingRate": "cron(0 3 29 2 ? 2027)"},
        (
            "retrainingRate: 'cron(0 3 29 2 ? 2027)' is on a day that none of its years has; "
            f"{RATES}"
        ),
    ),
    "a cron comes again": (
        {"retrainingRate": "cron(0 3 ? * MON 2020)"},
        (
            "retrainingRate: 'cron(0 3 ? * MON 2020)' does not come again after 2026-11-24; "
            "write a year in the future, or * for every year"
        ),
    ),
    "a zone with an offset is another zone than its name": (
        {"timezone": "GMT+2"},
        (
            "timezone: 'GMT+2' is not an IANA time zone; "
            "write 'Etc/GMT-2', whose sign is reversed, or name a city, for example 'Europe/Berlin'"
        ),
    ),
    "a zone west of Greenwich": (
        {"timezone": "utc-05:00"},
        (
            "timezone: 'utc-05:00' is not an IANA time zone; "
            "write 'Etc/GMT+5', whose sign is reversed, or name a city, for example 'Europe/Berlin'"
        ),
    ),
    "a zone with half an hour": (
        {"timezone": "UTC+5:30"},
        "timezone: 'UTC+5:30' is not an IANA time zone; name a city, for example 'Europe/Berlin'",
    ),
    "a zone further than any": (
        {"timezone": "GMT+15"},
        "timezone: 'GMT+15' is not an IANA time zone; name a city, for example 'Europe/Berlin'",
    ),
    "a zone without an offset": (
        {"timezone": "UTC+00:00"},
        "timezone: 'UTC+00:00' is not an IANA time zone; did you mean UTC?",
    ),
    "a zone with another number is none like it": (
        {"timezone": "Etc/GMT+15"},
        "timezone: 'Etc/GMT+15' is not an IANA time zone; for example 'Europe/Berlin'",
    ),
    "a zone in another case": (
        {"timezone": "etc/gmt+2"},
        "timezone: 'etc/gmt+2' is not an IANA time zone; did you mean Etc/GMT+2?",
    ),
    "a zone is one of IANA's, with the nearest": (
        {"timezone": "europe/berln"},
        "timezone: 'europe/berln' is not an IANA time zone; did you mean Europe/Berlin?",
    ),
    "a zone like no other": (
        {"timezone": "?"},
        "timezone: '?' is not an IANA time zone; for example 'Europe/Berlin'",
    ),
    # Limits and retention.
    "a deadline is positive": (
        {"limits.maxTrainingHours": 0},
        "limits.maxTrainingHours: 0 is no time to work in; expected a positive number of hours",
    ),
    "a deadline is a second at least": (
        {"limits.maxTrainingHours": 1e-9},
        (
            "limits.maxTrainingHours: 1e-09 is less than a second, and no job ends so soon; "
            "expected hours, as 24"
        ),
    ),
    "a deadline is a number": (
        {"limits.maxTrainingHours": float("nan")},
        "limits.maxTrainingHours: nan is no time to work in; expected a positive number of hours",
    ),
    "an import's deadline is sane": (
        {"limits.maxImportHours": "100"},
        (
            "limits.maxImportHours: 100 is more than 72 hours; "
            "an import takes minutes to hours, so one as long as that is stuck"
        ),
    ),
    "a training fits into the state machine's year": (
        {"limits.maxTrainingHours": 9000},
        (
            "limits.maxTrainingHours: 9000 is more than 8400 hours; "
            "a state machine ends after a year, with all its stages"
        ),
    ),
    "a campaign update's deadline is sane": (
        {"limits.maxCampaignHours": 24.5},
        (
            "limits.maxCampaignHours: 24.5 is more than 24 hours; "
            "an update takes minutes, so one as long as that is stuck"
        ),
    ),
    "a retention is one of CloudWatch's": (
        {"logRetentionDays": 100},
        "logRetentionDays: 100 is not among the retentions of CloudWatch Logs; the nearest is 90",
    ),
    # Tags.
    "few tags": (
        {"tags": {f"tag{number}": "x" for number in range(41)}},
        "tags: 41 tags; at most 40",
    ),
    "a tag's key is not AWS's": (
        {"tags.AWS:team": "x"},
        "tags.AWS:team: 'x' has a key that begins with aws:, which AWS keeps for itself",
    ),
    "a tag's key is not what the pipeline remembers": (
        {"tags.retraining-verdict": "REJECTED"},
        (
            "tags.retraining-verdict: 'REJECTED' has a key that begins with retraining-, "
            "which the pipeline keeps for itself; choose another key"
        ),
    ),
    "a tag's key is not the pipeline's in another case": (
        {"tags.Retraining-Pipeline": "mine"},
        (
            "tags.Retraining-Pipeline: 'mine' has a key that begins with retraining-, "
            "which the pipeline keeps for itself; choose another key"
        ),
    ),
    "a tag's key differs in more than its case": (
        {"tags": {"Team": "data", "team": "models", "owner": "data"}},
        ("tags.team: 'models' has the key of tags.Team but for its case; IAM takes one of them"),
    ),
    "a tag's key is short": (
        {"tags": {"k" * 129: "x"}},
        f"tags.{'k' * 129}: 'x' has a key of 129 characters; expected 1 to 128",
    ),
    "a tag's value is not empty": (
        {"tags.team": ""},
        "tags.team: is empty, which EventBridge Scheduler refuses; give it a value",
    ),
    "a tag's key is not empty": (
        {"tags": {"": "x"}},
        "tags.: 'x' has a key of 0 characters; expected 1 to 128",
    ),
    "a tag's value is short": (
        {"tags.team": "x" * 257},
        f"tags.team: '{'x' * 257}' is 257 characters long; a tag has at most 256",
    ),
    "a tag's characters are Personalize's": (
        {"tags.team": "data, models"},
        (
            "tags.team: 'data, models' holds ','; "
            "tags hold letters, digits, spaces and _ . : / = + - @"
        ),
    ),
}


@pytest.mark.parametrize(("changes", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_its_key_the_value_and_the_way_out(changes, line):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(changed(changes), today=TODAY)
    assert str(caught.value) == one_problem(line), "the whole message, and no other problem"


@pytest.mark.parametrize(
    "changes",
    [
        {"limits.maxTrainingHours": "0.0003"},
        {"datasets.users.dataLocation": "s3://movies-exports/users.parquet/"},
        {"datasets.users.dataLocation": "s3://movies-exports/interactions.csv"},
        {"datasets.users.dataLocation": "s3://movies-exports/2026.11/users.txt"},
        {"tags": {"retraining": "x", "re:retraining-verdict": "x"}},
        {"timezone": "Etc/GMT-2"},
    ],
)
def test_what_is_just_within_the_rules_is_taken(changes):
    settings.parse(changed(changes), today=TODAY)


def test_whether_a_cron_comes_again_is_judged_for_a_day_alone():
    config = changed({"retrainingRate": "cron(0 3 ? * MON 2020)"})
    assert settings.parse(config).retraining_rate == "cron(0 3 ? * MON 2020)"


def test_the_keys_that_the_pipeline_remembers_by_are_kept_from_the_config():
    constants = ("RUN", "BYTES", "OBJECTS", "FINGERPRINT", "ADOPTED", "VERDICT", "PREVIOUS")
    keys = [getattr(tags, name) for name in constants]
    assert set(constants) == {name for name in vars(tags) if name.isupper()} - {"TYPE_CHECKING"}
    assert [key for key in [*keys, TAG] if not key.startswith(OWN_TAGS)] == []
