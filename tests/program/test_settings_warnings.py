"""What works, but perhaps not as its author thinks: the whole text of each warning."""

from datetime import date

import pytest

import settings
from tests.program.sample_stack import PROJECT, changed, texts

PROBE = "solutions[0].campaigns[0].probe"
TODAY = date(2026, 11, 24)


def parsed(changes, *, today=TODAY):
    """Return the arguments of the sample stack with changes, and the warnings."""
    warned = []
    args = settings.parse_stack(PROJECT, "dev", texts(changes), today=today, warn=warned.append)
    return args, warned


def number_warning(key, number):
    return (
        f"{PROJECT}:{key}: {number} is a number and is read as the text '{number}'; YAML also "
        "reads 012 as 10 and 0x10 as 16, so write it in quotes, or set it with "
        "pulumi config set --path --type string"
    )


def test_the_sample_stack_has_no_warnings():
    assert parsed({}) == (settings.parse(changed({})), [])


@pytest.mark.parametrize("number", [4711, 0, -42, 2**63 - 1, -(2**63)])
def test_a_whole_number_is_read_as_its_digits_where_text_belongs(number):
    args, warned = parsed({f"{PROBE}.userId": number})
    assert args == settings.parse(changed({f"{PROBE}.userId": str(number)}))
    assert warned == [number_warning(f"{PROBE}.userId", number)]


def test_each_number_that_is_read_as_text_is_named():
    changes = {PROBE: {"userId": 7, "inputList": ["i1", 2]}, "tags.cost": 42}
    args, warned = parsed(changes)
    probe = args.solutions[0].campaigns[0].probe
    assert (probe.user_id, probe.input_list) == ("7", ("i1", "2"))
    assert args.tags["cost"] == "42"
    assert sorted(warned) == [
        number_warning(f"{PROBE}.inputList[1]", 2),
        number_warning(f"{PROBE}.userId", 7),
        number_warning("tags.cost", 42),
    ]


def test_numbers_are_named_on_a_day_that_is_not_known():
    _, warned = parsed({"tags.cost": 42}, today=None)
    assert warned == [number_warning("tags.cost", 42)]


def test_a_config_that_is_refused_has_no_warnings():
    with pytest.raises(settings.SettingsError):
        parsed({"tags.cost": 42, "paused": "no"})


@pytest.mark.parametrize("rate", ["7 days", "rate(12 hours)"])
def test_a_time_zone_has_no_effect_with_a_rate(rate):
    _, warned = parsed({"retrainingRate": rate, "timezone": "Europe/Dublin"})
    assert warned == [
        (
            f"{PROJECT}:timezone: 'Europe/Dublin' has no effect with the rate '{rate}', which "
            "counts from the deployment; set a cron as retrainingRate to run at a local time, "
            "or leave timezone out"
        )
    ]


@pytest.mark.parametrize(
    ("rate", "zone"), [("7 days", "UTC"), ("cron(0 3 ? * MON *)", "Europe/Dublin")]
)
def test_a_cron_has_a_time_zone_and_a_rate_has_the_default(rate, zone):
    assert parsed({"retrainingRate": rate, "timezone": zone})[1] == []
