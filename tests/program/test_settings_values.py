"""Proves the messages about locations, modes, rates, time zones, deadlines and tags."""

from datetime import date

import pytest

import settings
from components.retraining_pipeline import PIPELINE_TAG
from components.rules.values import RESERVED_TAGS
from functions.personalize import tags
from tests.program.sample_stack import (
    Refused,
    changed,
    error_of,
    one_problem,
    refused,
    refused_without_value,
)

TODAY = date(2026, 11, 24)
LOCATION = "datasets.users.dataLocation"
RATES = "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
TOO_RARE = (
    "is more than 365 days; write at most '365 days', or set paused to true and start each run by "
    "hand"
)
TOO_OFTEN = f"is more often than once an hour, but a training takes longer; {RATES}"
NO_ZONE = "is not an IANA time zone"
CITY = "name a city, for example 'Europe/Berlin'"
PLACEHOLDER = "the only placeholder is {date}, the day of the run as 2026-11-29"
NO_BUCKET = "which is not a valid name of a bucket; expected for example 's3://bucket/users.csv'"
NO_WILDCARD = (
    "which Personalize does not support; name a folder that ends in / to import the files in it"
)
NOT_PLAIN = "is not plain CSV, the only format that Personalize imports"
LONG_DAY = f"s3://bucket/{'x' * 233}/{{date}}/"
LONG_PREFIX = f"s3://bucket/{'x' * 250}/"
LOCATIONS = {
    "a location outside S3": refused(
        LOCATION,
        "https://bucket.s3.amazonaws.com/users.csv",
        "is not a location in S3; expected for example 's3://bucket/users.csv'",
    ),
    "a location in an impossible bucket": refused(
        LOCATION, "s3://My_Bucket/users.csv", f"has 'My_Bucket' as bucket, {NO_BUCKET}"
    ),
    "a long location": refused(
        LOCATION,
        LONG_PREFIX,
        f"is {len(LONG_PREFIX)} characters long, but Personalize accepts at most 256; choose a "
        f"shorter location",
    ),
    "a location that is long with its date": refused(
        LOCATION,
        LONG_DAY,
        "is 257 characters long, but Personalize accepts at most 256; choose a shorter location",
    ),
    "a bucket as location": refused(
        LOCATION,
        "s3://bucket",
        "is a whole bucket; name a file or a prefix in it, for example 's3://bucket/users.csv'",
    ),
    "a location that is neither file nor prefix": refused(
        LOCATION,
        "s3://bucket/users",
        ("is neither a file nor a prefix; write 's3://bucket/users.csv' or 's3://bucket/users/'"),
    ),
    "a location with an unknown placeholder": refused(
        LOCATION,
        "s3://bucket/{date}/{hour}/",
        f"has the unknown placeholder '{{hour}}'; {PLACEHOLDER}",
    ),
    "a location with an open placeholder": refused(
        LOCATION, "s3://bucket/{date/", f"has the unknown placeholder '{{'; {PLACEHOLDER}"
    ),
    "a bucket with a date": refused(
        LOCATION, "s3://exports-{date}/users.csv", f"has 'exports-{{date}}' as bucket, {NO_BUCKET}"
    ),
    "a wildcard": refused(
        LOCATION,
        "s3://bucket/users/part-*.csv",
        f"has the wildcard '*', {NO_WILDCARD}, for example 's3://bucket/users/'",
    ),
    "a wildcard in the top folder of the bucket": refused(
        LOCATION,
        "s3://bucket/users-?.csv",
        f"has the wildcard '?', {NO_WILDCARD}, for example 's3://bucket/exports/'",
    ),
    "a compressed file": refused(
        LOCATION, "s3://bucket/users.csv.GZ", f"{NOT_PLAIN}; export it as 's3://bucket/users.csv'"
    ),
    "a file of another format": refused(
        LOCATION, "s3://bucket/users.parquet", f"{NOT_PLAIN}; export it as 's3://bucket/users.csv'"
    ),
    "two datasets with one location": Refused(
        {
            "datasets.items.dataLocation": "s3://bucket/{date}.csv",
            LOCATION: "s3://bucket/{date}.csv",
        },
        (
            f"{LOCATION}: 's3://bucket/{{date}}.csv' is also datasets.items.dataLocation, so each "
            "dataset would get the rows of both; give each dataset a location of its own"
        ),
    ),
    "a file below the prefix of another dataset": Refused(
        {
            "datasets.interactions.dataLocation": "s3://bucket/{date}/interactions/",
            "datasets.items.dataLocation": "s3://bucket/{date}/interactions/items.csv",
        },
        (
            "datasets.items.dataLocation: 's3://bucket/{date}/interactions/items.csv' lies inside "
            "datasets.interactions.dataLocation; "
            "move it outside, for example to 's3://bucket/{date}/interactions.items.csv'"
        ),
    ),
    "a prefix below the prefix of a later dataset": Refused(
        {
            "datasets.interactions.dataLocation": "s3://bucket/users/clicks/",
            LOCATION: "s3://bucket/users/",
        },
        (
            "datasets.interactions.dataLocation: 's3://bucket/users/clicks/' lies inside "
            f"{LOCATION}; "
            "move it outside, for example to 's3://bucket/users.clicks/'"
        ),
    ),
}
MODES = {
    "an import mode in lower case": refused(
        "datasets.users.importMode", "Incremental", "is unknown; did you mean INCREMENTAL?"
    ),
    "an unknown training mode": refused(
        "solutions[0].trainingMode", "AUTOTRAIN", "is unknown; expected FULL or UPDATE"
    ),
    "fullEvery without UPDATE": refused(
        "solutions[0].fullEvery",
        "7 days",
        "has an effect only with trainingMode UPDATE; leave it out, or set that mode",
    ),
    "fullEvery in weeks": Refused(
        {"solutions[0].trainingMode": "UPDATE", "solutions[0].fullEvery": "1 week"},
        ("solutions[0].fullEvery: '1 week' is not a number of days; expected for example '7 days'"),
    ),
}
RATES_REFUSED = {
    "a word": ("weekly", f"is not a rate; {RATES}"),
    "a single time": ("at(2026-11-29T03:00:00)", f"fires only once; {RATES}"),
    "an unknown unit": (
        "1 week",
        f"has the unit week, which Scheduler does not know; {RATES}",
    ),
    "a plural for one": (
        "rate(1 days)",
        "is not written as Scheduler expects it; write 'rate(1 day)'",
    ),
    "a singular for several": ("7 day", "is not written as Scheduler expects it; write '7 days'"),
    "a rate of minutes": ("30 minutes", TOO_OFTEN),
    "a rate of more than a year": ("rate(999999 days)", TOO_RARE),
    "a rate of more than a year in hours": ("8761 hours", TOO_RARE),
    "a rate with other digits": ("1\u0667 days", f"is not a rate; {RATES}"),
    "a long cron": (
        f"cron(0 {','.join(['3'] * 130)} ? * MON *)",
        f"is 277 characters long, but Scheduler accepts at most 256; {RATES}",
    ),
    "a cron with several minutes": ("cron(0/30 3 * * ? *)", TOO_OFTEN),
    "a cron with five fields": (
        "cron(0 3 * * 1)",
        (
            "has 5 fields, but a cron of AWS has 6; write minutes hours day-of-month month "
            "day-of-week year"
        ),
    ),
    "a cron without the word cron": (
        "0 3 ? * MON *",
        "is a cron without the word cron; write 'cron(0 3 ? * MON *)'",
    ),
    "a cron with two days": (
        "cron(0 3 * * * *)",
        "must have ? as day-of-month or as day-of-week; write ? as one of them, but not as both",
    ),
    "a cron with an impossible hour": (
        "cron(0 25 * * ? *)",
        "has '25' as hours; expected 0 to 23",
    ),
    "a cron with an impossible weekday": (
        "cron(0 3 ? * MON#6 *)",
        "has 'MON#6' as day-of-week; expected 1 to 7, SUN to SAT, ?, L or #",
    ),
    "a cron with steps of zero": (
        "cron(0 */0 * * ? *)",
        "has '*/0' as hours; expected 0 to 23",
    ),
    "a cron on the last weekday of the month": (
        "cron(0 3 LW * ? *)",
        (
            "has 'LW' as day-of-month, which this program cannot evaluate; write L for the last "
            "day of the month, or FRIL as day-of-week for its last Friday"
        ),
    ),
    "a cron on the last day of the week": (
        "cron(0 3 ? * L *)",
        (
            "has 'L' as day-of-week, which this program cannot evaluate; "
            "write SAT for the last day of the week"
        ),
    ),
    "a cron on a day that no month has": (
        "cron(0 3 31 2 ? *)",
        f"is on a day that no month has; {RATES}",
    ),
    "a cron on a day that its year does not have": (
        "cron(0 3 29 2 ? 2027)",
        f"is on a day that none of its years has; {RATES}",
    ),
    "a cron in the past": (
        "cron(0 3 ? * MON 2020)",
        ("does not fire again after 2026-11-24; write a year in the future, or * for every year"),
    ),
}
TIMEZONES = {
    "an offset to the east": (
        "GMT+2",
        f"{NO_ZONE}; write 'Etc/GMT-2', whose sign is reversed, or {CITY}",
    ),
    "an offset to the west": (
        "utc-05:00",
        f"{NO_ZONE}; write 'Etc/GMT+5', whose sign is reversed, or {CITY}",
    ),
    "an offset with half an hour": ("UTC+5:30", f"{NO_ZONE}; {CITY}"),
    "an offset beyond all zones": ("GMT+15", f"{NO_ZONE}; {CITY}"),
    "an offset of zero": ("UTC+00:00", f"{NO_ZONE}; did you mean UTC?"),
    "a zone with another number": ("Etc/GMT+15", f"{NO_ZONE}; for example 'Europe/Berlin'"),
    "a zone in lower case": ("etc/gmt+2", f"{NO_ZONE}; did you mean Etc/GMT+2?"),
    "a misspelt zone": ("europe/berln", f"{NO_ZONE}; did you mean Europe/Berlin?"),
    "the zone of this computer": (
        "localtime",
        f"is not an IANA time zone, but only a file on this computer; {CITY}",
    ),
    "the zone of a computer without one": (
        "Factory",
        f"is not an IANA time zone, but only a file on this computer; {CITY}",
    ),
    "the zone of POSIX rules": (
        "posixrules",
        f"is not an IANA time zone, but only a file on this computer; {CITY}",
    ),
    "a zone that resembles no other": ("?", f"{NO_ZONE}; for example 'Europe/Berlin'"),
}
LIMITS = {
    "a deadline of zero": refused(
        "limits.maxTrainingHours", 0, "is not above 0; expected a number of hours, for example 24"
    ),
    "a deadline below a second": refused(
        "limits.maxTrainingHours",
        1e-9,
        "is less than a second, and no job ends so soon; expected a number of hours, for example "
        "24",
    ),
    "a deadline that is not a number": refused(
        "limits.maxTrainingHours",
        float("nan"),
        "is not above 0; expected a number of hours, for example 24",
    ),
    "a long import": refused(
        "limits.maxImportHours",
        100,
        "is more than 72 hours; set at most 72, because an import takes minutes to hours, and a "
        "longer import is stuck",
    ),
    "a training of more than a year": refused(
        "limits.maxTrainingHours",
        9000,
        "is more than 4000 hours; set at most 4000, because an execution with all its stages ends "
        "after a year",
    ),
    "a long campaign update": refused(
        "limits.maxCampaignHours",
        24.5,
        "is more than 24 hours; set at most 24, because an update takes minutes, and a longer "
        "update is stuck",
    ),
    "a retention that CloudWatch does not have": refused(
        "logRetentionDays",
        100,
        "is not a number of days that CloudWatch Logs accepts; set 90, the nearest number",
    ),
}
TAGS = {
    "many tags": refused_without_value(
        "tags", {f"tag{number}": "x" for number in range(39)}, "has 39 tags; keep at most 38"
    ),
    "a key that AWS reserves": refused(
        "tags.AWS:team",
        "x",
        "has a key that begins with aws:, which AWS reserves; choose another key",
    ),
    "a key that the pipeline reserves": refused(
        "tags.retraining-verdict",
        "REJECTED",
        ("has a key that begins with retraining-, which the pipeline reserves; choose another key"),
    ),
    "a key that the pipeline reserves, in another case": refused(
        "tags.Retraining-Pipeline",
        "mine",
        ("has a key that begins with retraining-, which the pipeline reserves; choose another key"),
    ),
    "two keys that differ in case": Refused(
        {"tags": {"Team": "data", "team": "models", "owner": "data"}},
        (
            "tags.team: 'models' differs from tags.Team only in upper and lower case; remove one "
            "of them, because IAM allows only one"
        ),
    ),
    "a long key": Refused(
        {"tags": {"k" * 129: "x"}},
        f"tags.{'k' * 129}: 'x' has a key of 129 characters; expected 1 to 128",
    ),
    "an empty key": Refused(
        {"tags": {"": "x"}}, "tags.: 'x' has a key of 0 characters; expected 1 to 128"
    ),
    "an empty value": refused_without_value(
        "tags.team", "", "is empty, which EventBridge Scheduler refuses; give it a value"
    ),
    "a long value": refused(
        "tags.team", "x" * 257, "is 257 characters long; shorten it to 256 or less"
    ),
    "a sign that Personalize refuses": refused(
        "tags.team",
        "data, models",
        "contains ','; remove it, because a tag may only have letters, digits, spaces and _ . : / "
        "= + - @",
    ),
}
REFUSED = {
    **LOCATIONS,
    **MODES,
    **{name: refused("retrainingRate", *row) for name, row in RATES_REFUSED.items()},
    **{name: refused("timezone", *row) for name, row in TIMEZONES.items()},
    **LIMITS,
    **TAGS,
}


@pytest.mark.parametrize(("changes", "line"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_breaks_a_rule_is_refused(changes, line):
    assert error_of(changed(changes), today=TODAY) == one_problem(line)


@pytest.mark.parametrize(
    "changes",
    [
        {"limits.maxTrainingHours": "0.0003"},
        {LOCATION: "s3://movies-exports/users.parquet/"},
        {LOCATION: "s3://movies-exports/interactions.csv"},
        {LOCATION: "s3://movies-exports/2026.11/users.txt"},
        {"tags": {"retraining": "x", "re:retraining-verdict": "x"}},
        {"timezone": "Etc/GMT-2"},
        {"retrainingRate": "365 days"},
        {"tags": {f"tag{number}": "x" for number in range(38)}},
    ],
)
def test_a_setting_at_the_edge_of_a_rule_is_accepted(changes):
    settings.parse(changed(changes), today=TODAY)


def test_without_a_day_a_cron_in_the_past_is_accepted():
    config = changed({"retrainingRate": "cron(0 3 ? * MON 2020)"})
    assert settings.parse(config).retraining_rate == "cron(0 3 ? * MON 2020)"


def test_the_tags_of_the_pipeline_have_keys_that_it_reserves():
    keys = [value for name, value in vars(tags).items() if name.isupper() and "-" in str(value)]
    assert keys, "functions/personalize/tags.py has the keys"
    assert [key for key in [*keys, PIPELINE_TAG] if not key.startswith(RESERVED_TAGS)] == []
