"""Proves the messages, the exit codes and the order of a rehearsal.

The services below a deployed stack are doubles. Does not prove that a run succeeds.
"""

import json
import os
import signal
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.error import URLError

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from emulator import EmulatorError
from functions.report.text import text_of
from retrain.rehearsal import commands, deployed_stack, rehearse
from retrain.rehearsal.judges import Evidence, Expectation
from retrain.rehearsal.scenarios import SCENARIOS, Name, ScenarioResult
from retrain.rehearsal.shell import FUNCTIONS
from tests.program.sample_stack import CAMPAIGN, INTERACTIONS, ITEMS, LEFT_OUT, SOLUTION, USERS
from tests.retrain.builders import OUTPUTS, STATE_MACHINE, run, run_report, solution_report, summary

PROBE = "solutions[0].campaigns[0].probe"


@pytest.fixture
def rehearsed(services, monkeypatch):
    """Make every first run succeed and every scenario end as designed. Return the records."""
    services.events = []
    services.is_as_designed = True

    @contextmanager
    def running(**options):
        services.options = options
        services.events.append("emulator")
        yield services.emulator

    def play(_deployed, scenario):
        services.events.append(str(scenario.name))
        expectation = Expectation("it ends well", services.is_as_designed)
        return ScenarioResult(scenario, Evidence([run()], []), [expectation])

    monkeypatch.setattr(rehearse, "running", running)
    monkeypatch.setattr(rehearse, "play", play)
    monkeypatch.setattr(deployed_stack.DeployedStack, "first_run", lambda _: summary())
    monkeypatch.setattr(commands, "POLL_SECONDS", 0)
    monkeypatch.setattr(rehearse.KeptStack, "refresh", lambda _: None)
    return services


def fails_with(error):
    """Return a function that raises an error."""

    def fail(*_, **__):
        raise error

    return fail


def test_a_first_run_that_succeeds_is_shown_and_ends_with_0(rehearsed, capsys):
    assert rehearse.rehearse("dev") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "account 123456789012, eu-west-1: http://127.0.0.1:1"
    assert lines[-1] == "Every campaign serves its new version."
    assert (rehearsed.options["account"], rehearsed.options["region"]) == (
        "123456789012",
        "eu-west-1",
    )


def test_a_first_run_that_fails_is_shown_and_ends_with_1(rehearsed, monkeypatch, capsys):
    failed = summary(trained=False)
    monkeypatch.setattr(deployed_stack.DeployedStack, "first_run", lambda _: failed)
    assert rehearse.rehearse("dev") == 1
    assert rehearsed.events == ["emulator"]
    assert "What the functions did" in capsys.readouterr().out


def test_scenarios_with_a_changed_config_have_a_deployment_of_their_own(rehearsed, project, capsys):
    names = [Name.AUTO_TRAINING, Name.WRONG_HEADER, Name.NOTHING_NEW]
    folder = project(**{PROBE: LEFT_OUT})
    assert rehearse.rehearse("dev", scenarios=names, project_dir=folder) == 0
    assert rehearsed.events == [
        *("emulator", "wrong-header", "nothing-new"),
        *("emulator", "auto-training"),
    ]
    unchanged, changed = (config for _, config in rehearsed.deployments)
    assert list(unchanged) == ["limits"], "the limits of every rehearsal"
    assert changed == {**unchanged, "autoTraining": "refuse"}
    assert capsys.readouterr().out.splitlines()[-1] == "3 of 3 scenarios ended as designed."


def test_the_stack_is_not_deployed_unchanged_if_no_scenario_needs_it(rehearsed):
    assert rehearse.rehearse("dev", scenarios=[Name.AUTO_TRAINING]) == 0
    assert rehearsed.events == ["emulator", "auto-training"]


def test_a_scenario_that_does_not_end_as_designed_ends_with_1(rehearsed, capsys):
    rehearsed.is_as_designed = False
    assert rehearse.rehearse("dev", scenarios=[Name.WORSE_MODEL]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "0 of 1 scenario ended as designed. NOT PREVENTED: worse-model"
    )


@pytest.mark.parametrize(
    ("first_run", "reason"),
    [
        (summary(trained=False), text_of(run_report(solution_report())).rstrip()),
        (summary(report=None, ending="ABORTED", trained=False), "ABORTED"),
    ],
)
def test_no_scenario_is_played_after_a_first_run_that_failed(
    rehearsed, monkeypatch, capsys, first_run, reason
):
    monkeypatch.setattr(deployed_stack.DeployedStack, "first_run", lambda _: first_run)
    assert rehearse.rehearse("dev", scenarios=[Name.NOTHING_NEW]) == 1
    assert rehearsed.events == ["emulator"]
    assert capsys.readouterr().err == (
        f"no scenario was played, because the first run failed: {reason}\n"
    )


@pytest.mark.usefixtures("rehearsed")
def test_a_scenario_that_does_not_end_is_named(monkeypatch, capsys):
    monkeypatch.setattr(rehearse, "play", fails_with(EmulatorError("no such schedule")))
    assert rehearse.rehearse("dev", scenarios=[Name.WORSE_MODEL]) == 1
    assert capsys.readouterr().err == "scenario worse-model did not end: no such schedule\n"


def test_scenarios_that_the_stack_cannot_play_are_refused_by_name(rehearsed, project, capsys):
    folder = project(paused=True)
    names = [Name.TWO_STACKS, Name.WRONG_HEADER, Name.DUPLICATE_EVENT, Name.ALL]
    assert rehearse.rehearse("dev", scenarios=[Name.TWO_STACKS], project_dir=folder) == 2
    assert rehearse.rehearse("dev", scenarios=names, project_dir=folder) == 2
    output, errors = capsys.readouterr()
    assert (rehearsed.events, output) == ([], "")
    assert errors == (
        "1 scenario that stack dev cannot play:\n"
        "  two-stacks: the stack is paused; set paused to false\n"
        "2 scenarios that stack dev cannot play:\n"
        "  duplicate-event: the stack is paused; set paused to false\n"
        "  two-stacks: the stack is paused; set paused to false\n"
    )


def test_all_leaves_out_the_scenarios_that_the_stack_cannot_play(rehearsed, project, capsys):
    folder = project(paused=True)
    assert rehearse.rehearse("dev", scenarios=[Name.ALL], project_dir=folder) == 0
    played = [event for event in rehearsed.events if event != "emulator"]
    assert len(played) == len(SCENARIOS) - 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "left out: duplicate-event: the stack is paused; set paused to false"


def test_json_is_the_only_output(rehearsed, capsys):
    assert rehearse.rehearse("dev", as_json=True) == 0
    output, errors = capsys.readouterr()
    document = json.loads(output)
    assert errors == ""
    assert rehearsed.events == ["emulator"]
    keys = ["executionArn", "ending", "report", "jobs", "steps", "versions", "campaigns"]
    assert list(document) == ["stack", "succeeded", *keys, "user", "evaluationUsers", "trained"]
    (campaign,) = document["campaigns"]
    assert campaign["solutionVersionArn"].endswith("/00000002")
    assert campaign["recommendations"][0] == {
        "itemId": "film-2",
        "title": "The Train II",
        "genres": "Drama|Crime",
    }
    metrics = document["versions"][0]["metrics"]
    assert "precision_at_10" in metrics, "the names of the metrics are those of Personalize"


def test_json_contains_the_scenarios_with_or_without_the_first_run(rehearsed, capsys):
    rehearsed.is_as_designed = False
    documents = []
    for names in ([Name.WORSE_MODEL], [Name.HAPPY_PATH, Name.WORSE_MODEL]):
        assert rehearse.rehearse("dev", scenarios=names, as_json=True) == 1
        documents.append(json.loads(capsys.readouterr().out))
    only_scenarios, both = documents
    assert list(only_scenarios) == ["stack", "succeeded", "scenarios"]
    assert both["report"]["outcome"] == "DEPLOYED"
    assert not both["succeeded"], "it is true only if the exit code is 0"
    (scenario,) = both["scenarios"]
    assert (scenario["scenario"], scenario["isAsDesigned"]) == ("worse-model", False)
    assert scenario["expectations"] == [{"text": "it ends well", "isMet": False}]
    assert scenario["runs"][0]["report"]["outcome"] == "DEPLOYED"


NO_CONNECTION = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
LIMIT = ClientError({"Error": {"Code": "Limit", "Message": "5"}}, "Make")


@pytest.mark.parametrize(
    ("function", "error", "code"),
    [
        ("deployed_stack.create_resources", LIMIT, 2),
        ("rehearse.running", EmulatorError("no free port"), 2),
    ],
)
@pytest.mark.usefixtures("rehearsed")
def test_an_error_is_a_message_without_a_traceback(monkeypatch, capsys, function, error, code):
    monkeypatch.setattr(f"retrain.rehearsal.{function}", fails_with(error))
    assert rehearse.rehearse("dev") == code
    explanation = "the emulator cannot deploy this stack: " if error is LIMIT else ""
    assert capsys.readouterr().err == f"{explanation}{error}\n"


@pytest.mark.usefixtures("rehearsed")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            NO_CONNECTION,
            f"the emulator does not answer ({NO_CONNECTION}); start the command again",
        ),
        (
            URLError("refused"),
            "the emulator does not answer (<urlopen error refused>); start the command again",
        ),
        (
            OSError(28, "No space left"),
            "[Errno 28] No space left; check the disk, and TMPDIR, the folder for temporary files",
        ),
    ],
)
def test_an_error_of_the_machine_is_a_message_with_a_way_out(monkeypatch, capsys, error, message):
    monkeypatch.setattr("retrain.rehearsal.rehearse.running", fails_with(error))
    assert rehearse.rehearse("dev") == 1
    assert capsys.readouterr().err == f"{message}\n"


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_keep_prints_the_variables_and_waits_for_a_signal(rehearsed, monkeypatch, capsys, number):
    handler = signal.getsignal(number)
    monkeypatch.setattr(rehearsed.emulator, "alive", lambda: signal.raise_signal(number) or True)
    assert rehearse.rehearse("dev", keep=True) == 0
    printed = capsys.readouterr().out
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "eu-west-1",
        "STACK": "dev",
        "MACHINE": STATE_MACHINE,
        "SCHEDULE": OUTPUTS["schedule_arn"],
        "GROUP": "retraining-dev",
        "QUEUE": OUTPUTS["dead_letter_queue_url"],
        "DATASETS": f'"{INTERACTIONS} {ITEMS} {USERS}"',
        "SOLUTIONS": f'"{SOLUTION}"',
        "CAMPAIGNS": f'"{CAMPAIGN}"',
    }
    assert printed.endswith(
        "\nThe emulator runs until you press Ctrl-C. Paste these lines into bash in another "
        "shell.\n"
        "Then boto3 and the AWS CLI use it, and so do the commands of docs/operations.md with\n"
        '--state-machine-arn "$MACHINE" in place of -s "$STACK":\n\n'
        + "".join(f"export {name}={value}\n" for name, value in variables.items())
        + FUNCTIONS
        + "\nS3 has a newer export for a run by hand, and it stays there.\n"
        "To write another one, press Enter here.\n\n"
    )
    assert len(rehearsed.exports) == 1
    assert signal.getsignal(number) == handler


@pytest.mark.usefixtures("restored_signals")
def test_keep_names_the_day_of_the_export_if_a_location_contains_the_date(
    rehearsed, project, capsys
):
    rehearsed.emulator.lifetime = 0
    folder = project(**{"datasets.items.dataLocation": "s3://bucket/{date}/items.csv"})
    assert rehearse.rehearse("dev", keep=True, project_dir=folder) == 1
    today = datetime.now(UTC).date().isoformat()
    assert (
        f"\nS3 has a newer export at {{date}} = {today} for a run by hand, and it stays there.\n"
    ) in capsys.readouterr().out
    assert [export["day"] for export in rehearsed.exports] == [today]


@pytest.mark.usefixtures("restored_signals")
def test_keep_with_json_prints_the_variables_to_stderr(rehearsed, capsys):
    rehearsed.emulator.lifetime = 2
    assert rehearse.rehearse("dev", keep=True, as_json=True) == 1
    output, errors = capsys.readouterr()
    assert json.loads(output)["succeeded"]
    assert "export AWS_REGION=eu-west-1" in errors
    assert errors.endswith("the emulator ended unexpectedly; start the command again\n")


def test_the_caller_s_aws_settings_and_proxies_are_removed(rehearsed, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "the-callers")
    environment = {}

    def first_run(_deployed):
        environment.update(os.environ)
        return summary()

    monkeypatch.setattr(deployed_stack.DeployedStack, "first_run", first_run)
    assert rehearse.rehearse("dev") == 0
    assert rehearsed.events == ["emulator"]
    assert "the-callers" not in environment.values()
    assert os.environ["AWS_PROFILE"] == "the-callers"
    assert "AWS_CONFIG_FILE" not in os.environ
