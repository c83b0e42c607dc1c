"""Tests of the delivery of reports: as a log record, as a message and as an event."""

import json
import logging
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from functions.common import clock as functions_clock
from functions.constants import ITEM_METRICS
from functions.report import send
from functions.report.mail import format_subject
from functions.report.send import read_serving, report_run
from tests.functions.samples import (
    CAMPAIGN,
    GROUP,
    NDCG,
    OLD_VERSION,
    RECOMMENDER,
    RUN_ID,
    SOLUTION,
    VERSION,
    campaign,
    campaign_result,
    campaign_settings,
    dataset_result,
    expect_recommenders,
    finished,
    iso,
    plan,
    planned_campaign,
    planned_solution,
    recommender_summary,
    run,
    settings,
    solution_result,
    solution_settings,
    training_status,
)
from tests.world import PIPELINE, TOPIC, campaign_arn

ALWAYS = {"topicArn": TOPIC, "on": "always", "dashboardUrl": None}
ONLY_PROBLEMS = {**ALWAYS, "on": "problems"}
REJECTED = finished(solutions=[solution_result(campaigns=[campaign_result("REJECTED", "it fell")])])
EVENT_BYTES = STATE_BYTES = 256 * 1024
"""An event may be larger, but a rule can pass 256 KB to an SNS topic or to a state machine."""
CAUSE_CHARACTERS = 32_768
CHAT_CHARACTERS = 8_000


@pytest.fixture(autouse=True)
def served(monkeypatch):
    """Let the campaign serve its new version."""
    serving = {"campaignArn": CAMPAIGN, "isKnown": True, "servedVersionArn": VERSION}
    serving |= {"isBad": False, "pin": None}
    monkeypatch.setattr(send, "personalize_read_client", lambda: None)
    monkeypatch.setattr(send, "read_serving", lambda *_: [{**serving, "versionOnTrial": None}])


def deliver(document=None, notifications=ALWAYS):
    return report_run("report_outcome", document or finished(), PIPELINE, notifications)


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_text_of_the_report_is_logged(caplog):
    caplog.set_level(logging.INFO)
    delivered = deliver()
    record, outcome, undelivered = caplog.records

    assert record.getMessage() == delivered["text"]
    assert (record.step, record.runId, record.outcome) == ("report_outcome", RUN_ID, "DEPLOYED")
    assert (outcome.Outcome, outcome.Runs, undelivered.UndeliveredReports) == ("DEPLOYED", 1, 0)


@pytest.mark.parametrize(
    "notifications, document, outcomes",
    [
        (ALWAYS, finished(), ["DEPLOYED"]),
        (ALWAYS, REJECTED, ["REJECTED"]),
        (ONLY_PROBLEMS, finished(), []),
        (ONLY_PROBLEMS, REJECTED, ["REJECTED"]),
    ],
)
def test_the_config_says_which_runs_send_a_message(inbox, notifications, document, outcomes):
    deliver(document, notifications)
    assert [message.attributes["outcome"] for message in inbox.messages] == outcomes
    assert len(inbox.details) == 1, "programs hear of every run"


SELF_TRAINED = settings(solutions=[solution_settings(trainedBy="personalize")])
NOTHING = {
    **finished(),
    "plan": plan(todo="NOTHING", imports=[], solutions=[]),
    "imports": {"results": [], "anyFailed": False},
    "solutions": [],
}
FOUND_NOTHING = {**NOTHING, "settings": SELF_TRAINED}


@pytest.mark.parametrize(
    "document, count",
    [
        (FOUND_NOTHING, 0),
        (NOTHING, 1),
        ({**FOUND_NOTHING, "run": run({}, trigger="manual")}, 1),
        ({**FOUND_NOTHING, "trials": [campaign_result("SKIPPED", "it was moved")]}, 1),
        ({**finished(), "settings": SELF_TRAINED}, 1),
    ],
    ids=["routine", "of a pipeline that trains", "by hand", "after a trial", "deployed"],
)
def test_a_scheduled_run_that_only_deploys_sends_no_message_if_it_finds_nothing(
    inbox, document, count
):
    deliver(document)
    assert (len(inbox.messages), len(inbox.details)) == (count, 1)


def test_a_repetition_sends_no_message(inbox, monkeypatch):
    monkeypatch.setattr(send, "is_repeated_failure", lambda _: True)
    deliver(REJECTED)
    assert (len(inbox.messages), len(inbox.details)) == (0, 1)


@pytest.mark.parametrize("key", ["versionOnTrial", "isBad"])
def test_a_campaign_with_an_open_trial_or_a_bad_version_needs_a_person(key):
    serving = {"versionOnTrial": None, "isBad": False, key: VERSION}
    assert send.needs_person({"outcome": "DEPLOYED", "serving": [serving], "warnings": []})


def test_a_warning_needs_a_person_only_if_it_says_so():
    calm = {"outcome": "DEPLOYED", "serving": [], "warnings": [{"text": "it is pinned"}]}
    assert not send.needs_person(calm)
    assert send.needs_person({**calm, "warnings": [{"text": "no input", "needsPerson": True}]})


def test_a_run_whose_settings_are_not_known_serves_nothing_that_is_known():
    document = finished(error={"Error": "ABORTED", "Cause": "by hand"})
    del document["settings"]
    assert deliver(document)["report"]["serving"] == []


# What cannot be delivered

DENIED = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")


EVENT = "event to the default event bus"
MESSAGE = f"message to {TOPIC}"


@pytest.mark.parametrize(
    "failing, failure",
    [
        ({"put_events": EVENT}, DENIED),
        ({"publish": MESSAGE}, ConnectTimeoutError(endpoint_url="https://sns")),
        ({"put_events": EVENT, "publish": MESSAGE}, MemoryError()),
    ],
    ids=["no event", "no message", "neither"],
)
def test_what_cannot_be_delivered_changes_nothing_else(
    inbox, caplog, monkeypatch, failing, failure
):
    def fail(**_):
        raise failure

    caplog.set_level(logging.INFO)
    for method in failing:
        monkeypatch.setattr(inbox, method, fail)
    assert deliver()["report"]["outcome"] == "DEPLOYED"
    assert len(inbox.details) == ("put_events" not in failing)
    assert len(inbox.messages) == ("publish" not in failing)
    (record,) = errors(caplog)
    texts = [f"{name}: {failure}" for name in failing.values()]
    assert record.getMessage() == (
        f"report_outcome: the report was not delivered: {'; '.join(texts)}"
    )
    assert (record.step, record.runId) == ("report_outcome", RUN_ID)
    assert record.undeliveredReports == len(failing)
    counts = [getattr(entry, "UndeliveredReports", None) for entry in caplog.records]
    assert len(failing) in counts, "the alarm rings"


def test_an_entry_that_eventbridge_does_not_take_is_logged(inbox, caplog, monkeypatch):
    entry = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    refusal = {"FailedEntryCount": 1, "Entries": [entry]}
    monkeypatch.setattr(inbox, "put_events", lambda **_: refusal)
    deliver()
    (record,) = errors(caplog)

    assert record.getMessage().endswith("event bus: InternalFailure: try again")


# The requests


def test_a_message_has_the_text_and_an_event_the_report(inbox):
    delivered = deliver()
    (message,) = inbox.messages
    (detail,) = inbox.details
    assert (message.body, detail) == (delivered["text"], delivered["report"])
    assert (message.topic, message.subject) == (TOPIC, format_subject(detail))
    known = {"pipeline": PIPELINE, "outcome": "DEPLOYED", "trigger": "schedule"}
    assert message.attributes == known, "subscribers can filter by them"
    content = {
        "textType": "client-markdown",
        "title": message.subject,
        "description": delivered["text"],
    }

    assert json.loads(message.chat) == {"version": "1.0", "source": "custom", "content": content}, (
        "the form that chat applications show"
    )


# The size


def largest_run(outcome, text):
    """Return a run of 10 solutions with 5 campaigns each, with the longest names and texts."""
    solutions = []
    for number in range(10):
        solution = SOLUTION.replace("taste", f"s{number}".ljust(63, "x"))
        campaigns = [
            campaign_result(
                outcome,
                text,
                campaign=planned_campaign(
                    campaignArn=CAMPAIGN.replace("home", f"c{number}-{place}".ljust(63, "y"))
                ),
                metrics=[
                    {"metric": f"{NDCG}_{count}", "new": 1 / 3, "served": 2 / 3}
                    for count in range(5)
                ],
                warnings=[text],
                versionArn=f"{solution}/{'n' * 12}",
                previousVersionArn=f"{solution}/{'o' * 12}",
                error={"Error": "E", "Cause": text},
            )
            for place in range(5)
        ]
        version = training_status(arn=f"{solution}/{'n' * 12}", warnings=[text])
        planned = planned_solution(solutionArn=solution)
        solutions.append(solution_result(solution=planned, version=version, campaigns=campaigns))
    imports = {"results": [dataset_result(error={"Error": "E", "Cause": text})] * 5}

    return finished(solutions=solutions, imports=imports, plan=plan(warnings=[{"text": text}] * 99))


@pytest.mark.parametrize("outcome", ["FAILED", "ROLLED_BACK", "REJECTED", "AWAITING_APPROVAL"])
@pytest.mark.parametrize("text", ["x" * 300, "\N{BRAIN} " * 22], ids=["ASCII", "emoji"])
def test_the_report_of_the_largest_pipeline_fits_everywhere(inbox, monkeypatch, outcome, text):
    document = largest_run(outcome, text)
    serving = [
        {
            "campaignArn": result["campaign"]["campaignArn"],
            "isKnown": True,
            "servedVersionArn": result["status"]["previousVersionArn"],
            "versionOnTrial": result["status"]["versionArn"],
            "isBad": False,
            "pin": None,
        }
        for solution in document["solutions"]
        for result in solution["campaigns"]
    ]
    monkeypatch.setattr(send, "read_serving", lambda *_: serving)
    delivered = deliver(document)
    (message,) = inbox.messages
    (detail,) = inbox.details
    assert len(json.dumps(delivered)) < STATE_BYTES, "the output of the execution"
    assert len(json.dumps(detail)) < EVENT_BYTES - 2_000, "with the other fields of an event"
    assert len(json.dumps(message.body)) < CAUSE_CHARACTERS
    chat = json.loads(message.chat)["content"]["description"]
    assert len(chat) < CHAT_CHARACTERS
    advice = next(part for part in message.body.split("\n\n") if part.startswith("What to do\n"))
    assert advice in chat, "nothing of the advice is cut"
    reasons = [reason["text"] for row in detail["imports"] for reason in row["reasons"]]

    assert all(reason.startswith(f"E: {text[:99]}") for reason in reasons)


# What the campaigns serve

MAIL = campaign_arn("mail")
TWO_CAMPAIGNS = settings(
    solutions=[
        solution_settings(campaigns=[campaign_settings(), campaign_settings(campaignArn=MAIL)])
    ]
)


def expect(personalize, arn, trial=None, bad=None, pin=None, **changes):
    """Expect a campaign to be described and its tags to be read."""
    personalize.expect("describe_campaign", {"campaign": campaign(**changes)}, campaignArn=arn)
    values = {"retraining-trial": trial, "retraining-blocked": bad, "retraining-pinned": pin}
    tags = [
        {"tagKey": key, "tagValue": value} for key, value in values.items() if value is not None
    ]
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)


def serving_of(personalize):
    """Return what is known, what is served, what is on trial and the pin of each campaign."""
    keys = ("isKnown", "servedVersionArn", "versionOnTrial", "pin")
    return {
        row["campaignArn"]: tuple(row[key] for key in keys)
        for row in read_serving(personalize.client, TWO_CAMPAIGNS)
    }


NOT_KNOWN = (False, None, None, None)


def test_each_campaign_is_read_with_its_trial_and_its_pin_which_is_any_value_but_a_hyphen(
    personalize,
):
    tags = {"trial": f"{VERSION} {iso(1)}", "pin": "since Monday by ops"}
    expect(personalize, CAMPAIGN, solutionVersionArn=VERSION, **tags)
    expect(personalize, MAIL, status="CREATE FAILED", pin="-")

    assert serving_of(personalize) == {
        CAMPAIGN: (True, VERSION, VERSION, "pinned since Monday by ops"),
        MAIL: (True, None, None, None),
    }


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
@pytest.mark.parametrize("method", ["describe_campaign", "list_tags_for_resource"])
def test_a_campaign_that_cannot_be_read_is_not_known(personalize, code, method):
    if method == "describe_campaign":
        personalize.expect_error(method, code, campaignArn=CAMPAIGN)
    else:
        personalize.expect("describe_campaign", {"campaign": campaign()}, campaignArn=CAMPAIGN)
        personalize.expect_error(method, code, resourceArn=CAMPAIGN)
    expect(personalize, MAIL)

    assert serving_of(personalize) == {
        CAMPAIGN: NOT_KNOWN,
        MAIL: (True, OLD_VERSION, None, None),
    }


@pytest.mark.parametrize("served, is_bad", [(VERSION, True), (OLD_VERSION, False)])
def test_a_campaign_that_serves_a_version_that_failed_its_probe_is_bad(personalize, served, is_bad):
    expect(personalize, CAMPAIGN, solutionVersionArn=served, bad=VERSION)
    expect(personalize, MAIL, status="CREATE FAILED", pin="-")
    first, second = read_serving(personalize.client, TWO_CAMPAIGNS)

    assert (first["isBad"], second["isBad"], second["pin"]) == (is_bad, False, None)


def test_after_a_minute_no_more_campaigns_are_read(personalize, clock, monkeypatch):
    def slow_now():
        clock.advance(30)
        return clock.now()

    expect(personalize, CAMPAIGN)
    monkeypatch.setattr(functions_clock, "now", slow_now)
    assert serving_of(personalize) == {
        CAMPAIGN: (True, OLD_VERSION, None, None),
        MAIL: NOT_KNOWN,
    }


# What recommenders a pipeline that only imports has

ONLY_IMPORTS = {**NOTHING, "settings": settings(solutions=[])}
METRICS = {NDCG: 0.0513, "coverage": 1}


@pytest.fixture
def recommenders_of(personalize, monkeypatch):
    """Return a function that returns the recommenders in the report of a run."""
    monkeypatch.setattr(send, "personalize_read_client", lambda: personalize.client)
    return lambda document=ONLY_IMPORTS: deliver(document)["report"]["recommenders"]


def expect_described(personalize, **changes):
    described = {**recommender_summary(), "modelMetrics": METRICS, **changes}
    personalize.expect(
        "describe_recommender", {"recommender": described}, recommenderArn=RECOMMENDER
    )


def reported(**changes):
    return {
        "recommenderArn": RECOMMENDER,
        "status": "ACTIVE",
        "lastUpdatedAt": iso(102),
        "ageDays": 4.25,
        "metrics": METRICS,
        **changes,
    }


def test_a_recommender_of_the_group_is_reported_with_its_age_and_metrics(
    personalize, recommenders_of, inbox
):
    other = recommender_summary(datasetGroupArn=f"{GROUP}-2", recommenderArn=f"{RECOMMENDER}-2")
    expect_recommenders(personalize, other, recommender_summary())
    expect_described(personalize)
    assert recommenders_of() == [reported()]
    assert inbox.details[0]["recommenders"] == [reported()]


@contextmanager
def after_description(personalize, react):
    """Call a function with each description of a recommender that Personalize returns."""
    events = personalize.client.meta.events
    name = "after-call.personalize.DescribeRecommender"
    events.register(name, lambda parsed, **_: react(parsed["recommender"]), "react")
    try:
        yield
    finally:
        events.unregister(name, unique_id="react")


def test_a_metric_that_is_no_number_is_left_out(personalize, recommenders_of):
    expect_recommenders(personalize, recommender_summary())
    expect_described(personalize)
    metrics = {NDCG: "NaN", "coverage": float("inf"), "hit": 1}
    with after_description(personalize, lambda described: described.update(modelMetrics=metrics)):
        assert recommenders_of() == [reported(metrics={"hit": 1})]


def test_a_recommender_that_cannot_be_described_has_no_metrics(personalize, recommenders_of):
    expect_recommenders(personalize, recommender_summary(status="INACTIVE"))
    personalize.expect_error(
        "describe_recommender", "AccessDeniedException", recommenderArn=RECOMMENDER
    )
    assert recommenders_of() == [reported(status="INACTIVE", metrics={})]


def test_recommenders_that_cannot_be_listed_are_not_known(personalize, recommenders_of):
    personalize.expect_error("list_recommenders", "AccessDeniedException", maxResults=100)
    assert recommenders_of() is None


def test_after_a_minute_no_more_recommenders_are_described(personalize, recommenders_of, clock):
    expect_recommenders(personalize, recommender_summary(), recommender_summary())
    expect_described(personalize)
    with after_description(personalize, lambda _: clock.advance(60)):
        assert [each["metrics"] for each in recommenders_of()] == [METRICS, {}]


def test_the_event_has_room_for_as_many_recommenders_as_are_listed(personalize, recommenders_of):
    expect_recommenders(personalize, *[recommender_summary()] * 100)
    for _ in range(100):
        expect_described(personalize, modelMetrics=dict.fromkeys(ITEM_METRICS, 0.123456789))
    assert len(json.dumps(recommenders_of())) < EVENT_BYTES / 2


def test_a_pipeline_with_solutions_lists_no_recommenders(recommenders_of):
    assert recommenders_of(finished()) == []
