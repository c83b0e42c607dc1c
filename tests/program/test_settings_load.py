"""Proves that the config of the current stack is read as the CLI passes it, and that it warns."""

import json

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from components import settings
from tests.program.sample_stack import CONFIG, PROJECT, STACK_CONFIG, one_problem, parse, texts


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


def error():
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    return caught.value


def test_the_config_of_the_stack_is_loaded(set_config):
    set_config(STACK_CONFIG)
    assert settings.load() == parse(CONFIG)


def test_text_that_is_not_json_is_read_as_text(set_config):
    set_config({**STACK_CONFIG, f"{PROJECT}:solutions": "[arn"})
    assert str(error()) == one_problem("solutions: '[arn' is not a list")


def test_the_region_and_the_encrypted_keys_of_the_stack_are_known(set_config):
    set_config(
        {**STACK_CONFIG, "aws:region": "us-east-1", f"{PROJECT}:timezone": "UTC"},
        secret_keys=[f"{PROJECT}:timezone"],
    )
    assert [line.split(":")[1] for line in str(error()).splitlines()[1:]] == ["region", "timezone"]


def test_the_error_has_no_stack_trace_in_the_cli():
    assert issubclass(settings.SettingsError, pulumi.RunError)


def test_a_program_with_a_name_like_a_provider_may_have_keys_of_that_provider():
    config = {key.replace(PROJECT, "aws-ml"): value for key, value in texts({}).items()}
    settings.parse_stack_config(
        "aws-ml", "dev", {**config, "aws:profile": "ml", "pulumi:tags": "{}"}
    )


def test_a_missing_region_is_refused_even_if_the_shell_has_a_region(set_config, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    set_config({key: value for key, value in STACK_CONFIG.items() if key != "aws:region"})
    assert str(error()).splitlines()[1].startswith("  aws:region: missing; ")
