"""The config of the stack that is being deployed: as the CLI hands it over, with its warnings."""

import json
from datetime import UTC, datetime

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

import settings
from tests.program.sample_stack import CONFIG, PROJECT, STACK_CONFIG, one_problem


@pytest.fixture
def stack(monkeypatch):
    """Sets the config of the stack dev, as the CLI hands it over: all text."""
    monkeypatch.setattr(pulumi, "get_project", lambda: PROJECT)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")

    def configure(config, **options):
        text = {key: _text(value) for key, value in config.items()}
        set_all_config(text, **options)

    yield configure
    set_all_config({}, [])


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)


def test_the_config_of_the_stack_is_loaded(stack):
    stack(STACK_CONFIG)
    assert settings.load() == settings.parse(CONFIG)


def test_text_that_is_no_json_is_taken_as_text(stack):
    stack({**STACK_CONFIG, f"{PROJECT}:solutions": "[arn"})
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    assert str(caught.value) == one_problem("solutions: '[arn' is text; expected a list")


def test_loading_knows_region_stack_and_secrets(stack):
    stack(
        {**STACK_CONFIG, "aws:region": "us-east-1", f"{PROJECT}:timezone": "UTC"},
        secret_keys=[f"{PROJECT}:timezone"],
    )
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    assert [line.split(":")[1] for line in str(caught.value).splitlines()[1:]] == [
        "datasets.interactions.datasetArn",
        "timezone",
    ]
    assert isinstance(caught.value, pulumi.RunError), "the CLI prints it without a traceback"


def test_a_cron_is_judged_for_the_day_of_the_deployment(stack, monkeypatch):
    class Today(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 1, 9, tzinfo=tz or UTC)

    monkeypatch.setattr(settings, "datetime", Today)
    stack({**STACK_CONFIG, f"{PROJECT}:retrainingRate": "cron(0 3 ? * MON 2026-2030)"})
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    assert str(caught.value) == one_problem(
        "retrainingRate: 'cron(0 3 ? * MON 2026-2030)' does not come again after 2031-01-09; "
        "write a year in the future, or * for every year"
    )


def test_a_cron_hour_that_daylight_saving_skips_is_a_warning(stack, monkeypatch):
    class Today(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 11, 24, tzinfo=tz or UTC)

    logged = []
    monkeypatch.setattr(settings, "datetime", Today)
    monkeypatch.setattr(pulumi.log, "warn", logged.append)
    stack(
        {
            **STACK_CONFIG,
            f"{PROJECT}:retrainingRate": "cron(30 2 * * ? *)",
            f"{PROJECT}:timezone": "Europe/Berlin",
        }
    )
    settings.load()
    assert logged == [
        (
            f"{PROJECT}:retrainingRate: 'cron(30 2 * * ? *)' will not run on 2027-03-28, when "
            "daylight saving in Europe/Berlin skips 02:30; choose an hour that every day has"
        )
    ]
