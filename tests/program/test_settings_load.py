"""Proves that the config of the current stack is read as the CLI passes it, and that it warns."""

import json
from datetime import UTC, datetime

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

import settings
from tests.program.sample_stack import CONFIG, PROJECT, STACK_CONFIG, one_problem


@pytest.fixture
def set_config(monkeypatch):
    """Return a function that sets the config of the stack dev. The CLI passes only text."""
    monkeypatch.setattr(pulumi, "get_project", lambda: PROJECT)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")

    def configure(config, **options):
        texts = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in config.items()
        }
        set_all_config(texts, **options)

    yield configure
    set_all_config({}, [])


@pytest.fixture
def set_today(monkeypatch):
    """Return a function that sets the day on which the program runs."""

    def set_day(*day):
        class Today(datetime):
            @classmethod
            def now(cls, tz=None):
                return cls(*day, tzinfo=tz or UTC)

        monkeypatch.setattr(settings, "datetime", Today)

    return set_day


def error():
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    return caught.value


def test_the_config_of_the_stack_is_loaded(set_config):
    set_config(STACK_CONFIG)
    assert settings.load() == settings.parse(CONFIG)


def test_text_that_is_not_json_is_read_as_text(set_config):
    set_config({**STACK_CONFIG, f"{PROJECT}:solutions": "[arn"})
    assert str(error()) == one_problem("solutions: '[arn' is text; expected a list")


def test_the_region_and_the_encrypted_keys_of_the_stack_are_known(set_config):
    set_config(
        {**STACK_CONFIG, "aws:region": "us-east-1", f"{PROJECT}:timezone": "UTC"},
        secret_keys=[f"{PROJECT}:timezone"],
    )
    assert [line.split(":")[1] for line in str(error()).splitlines()[1:]] == [
        "datasets.interactions.datasetArn",
        "timezone",
    ]


def test_the_error_has_no_stack_trace_in_the_cli():
    assert issubclass(settings.SettingsError, pulumi.RunError)


def test_a_cron_has_to_come_again_after_the_day_of_the_deployment(set_config, set_today):
    set_today(2031, 1, 9)
    set_config({**STACK_CONFIG, f"{PROJECT}:retrainingRate": "cron(0 3 ? * MON 2026-2030)"})
    assert str(error()) == one_problem(
        "retrainingRate: 'cron(0 3 ? * MON 2026-2030)' does not fire again after 2031-01-09; "
        "write a year in the future, or * for every year"
    )


def test_a_cron_hour_that_daylight_saving_skips_has_a_warning(set_config, set_today, monkeypatch):
    warnings = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    set_today(2026, 11, 24)
    set_config(
        {
            **STACK_CONFIG,
            f"{PROJECT}:retrainingRate": "cron(30 2 * * ? *)",
            f"{PROJECT}:timezone": "Europe/Berlin",
        }
    )
    settings.load()
    assert warnings == [
        (
            f"{PROJECT}:retrainingRate: 'cron(30 2 * * ? *)' will not run on 2027-03-28, when "
            "daylight saving in Europe/Berlin skips 02:30; choose an hour that every day has"
        )
    ]
