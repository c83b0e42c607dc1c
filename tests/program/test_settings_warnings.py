"""Proves the warnings about a config that works, but perhaps not as intended."""

from datetime import date

import pytest

import settings
from tests.program.sample_stack import PROBE, PROJECT, changed, texts

TODAY = date(2026, 11, 24)


def parsed(changes, *, today=TODAY):
    """Return the arguments of the sample stack with changes, and the texts of the warnings."""
    warnings = []
    args = settings.parse_stack(PROJECT, "dev", texts(changes), today=today, warn=warnings.append)
    return args, warnings


def number_warning(key, number):
    return (
        f"{PROJECT}:{key}: {number} is a number and is read as the text '{number}'; write it in "
        f"quotes, because YAML reads 012 as 10 and 0x10 as 16, or set it with pulumi config set "
        f"--path --type string -s <stack>"
    )


def test_the_sample_stack_has_no_warnings():
    assert parsed({}) == (settings.parse(changed({})), [])


@pytest.mark.parametrize("number", [4711, 0, -42, 2**63 - 1, -(2**63)])
def test_a_whole_number_in_place_of_text_is_read_as_its_digits(number):
    args, warnings = parsed({f"{PROBE}.userId": number})
    assert args == settings.parse(changed({f"{PROBE}.userId": str(number)}))
    assert warnings == [number_warning(f"{PROBE}.userId", number)]


def test_each_number_that_is_read_as_text_has_a_warning():
    changes = {PROBE: {"userId": 7, "inputList": ["i1", 2]}, "tags.cost": 42}
    args, warnings = parsed(changes)
    probe = args.solutions[0].campaigns[0].probe
    assert (probe.user_id, probe.input_list) == ("7", ("i1", "2"))
    assert args.tags["cost"] == "42"
    assert sorted(warnings) == [
        number_warning(f"{PROBE}.inputList[1]", 2),
        number_warning(f"{PROBE}.userId", 7),
        number_warning("tags.cost", 42),
    ]


def test_warnings_about_numbers_do_not_need_the_day():
    _, warnings = parsed({"tags.cost": 42}, today=None)
    assert warnings == [number_warning("tags.cost", 42)]


def test_a_config_that_is_refused_has_no_warnings():
    warnings = []
    with pytest.raises(settings.SettingsError):
        settings.parse_stack(
            PROJECT, "dev", texts({"tags.cost": 42, "paused": "no"}), warn=warnings.append
        )
    assert warnings == []


@pytest.mark.parametrize("rate", ["7 days", "rate(12 hours)"])
def test_a_time_zone_without_a_cron_has_a_warning(rate):
    _, warnings = parsed({"retrainingRate": rate, "timezone": "Europe/Dublin"})
    assert warnings == [
        (
            f"{PROJECT}:timezone: 'Europe/Dublin' has no effect with the rate '{rate}', which "
            "counts from the deployment; set a cron as retrainingRate to run at a local time, "
            "or leave timezone out"
        )
    ]


@pytest.mark.parametrize(
    ("rate", "timezone"), [("7 days", "UTC"), ("cron(0 3 ? * MON *)", "Europe/Dublin")]
)
def test_a_time_zone_that_has_an_effect_has_no_warning(rate, timezone):
    _, warnings = parsed({"retrainingRate": rate, "timezone": timezone})
    assert warnings == []
