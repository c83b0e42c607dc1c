"""Proves what a preview is told: complete inputs, exact differences, known and unknown outputs.

No call of a preview changes anything in the account.
"""

import json

import pytest
from provider_support import (
    FUNCTION,
    LOG_GROUP,
    MACHINE,
    QUEUE,
    ROLE,
    ROLE_POLICY,
    SCHEDULE,
    UNKNOWN,
    Resource,
    archive,
    message,
    provider,
)

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
CODE = archive("sha-1", work="def handler(*_):\n    return 1\n")
WORKER = {
    "role": "arn:aws:iam::123456789012:role/worker",
    "code": CODE,
    "handler": "work.handler",
    "runtime": "python3.13",
}


@pytest.fixture(scope="module")
def engine(aws):
    with provider(aws) as engine:
        yield engine


def existing(engine, kind, name, inputs, outputs=None):
    """Return a resource that is in the engine's state, but not in the account."""
    complete = engine.checked(kind, name, inputs)
    return Resource(kind, name, "the-id", complete, complete | (outputs or {}))


def difference(engine, resource, inputs):
    complete = engine.checked(resource.type, resource.name, inputs, resource.inputs)
    return engine.diff(resource, complete)


def test_check_fills_in_what_the_provider_decides(engine):
    assert engine.checked(LOG_GROUP, "logs", {"tags": {"team": "ranking"}}) == {
        "name": "logs-19b2585",
        "retentionInDays": 0,
        "tags": {"team": "ranking"},
        "tagsAll": {"team": "ranking"},
        "region": "eu-west-1",
        "__defaults": ["name", "retentionInDays"],
    }, "as the bridge of Pulumi's own provider does"


def test_a_global_service_has_no_region(engine):
    assert engine.checked(ROLE, "worker", {"assumeRolePolicy": TRUST}) == {
        "name": "worker-19b2585",
        "assumeRolePolicy": TRUST,
        "path": "/",
        "maxSessionDuration": 3600,
        "tagsAll": {},
        "__defaults": ["maxSessionDuration", "name", "path"],
    }


def test_a_document_that_is_a_mapping_becomes_text(engine):
    inputs = engine.checked(ROLE, "worker", {"assumeRolePolicy": json.loads(TRUST)})
    assert inputs["assumeRolePolicy"] == '{"Statement": [], "Version": "2012-10-17"}', (
        "which is the type of the output, and always the same one"
    )


def test_an_automatic_name_comes_from_the_seed_and_stays(engine):
    first = engine.checked(QUEUE, "q", {}, seed=b"one")
    assert engine.checked(QUEUE, "q", {}, seed=b"one")["name"] == first["name"], "one seed"
    assert engine.checked(QUEUE, "q", {}, seed=b"two")["name"] != first["name"], "another"
    assert engine.checked(QUEUE, "q", {}, first, seed=b"two")["name"] == first["name"], (
        "an existing resource keeps its name"
    )


def test_a_name_that_the_program_gives_up_is_not_kept(engine):
    named = engine.checked(QUEUE, "q", {"name": "mine"})
    assert named["__defaults"] == [
        "delaySeconds",
        "messageRetentionSeconds",
        "receiveWaitTimeSeconds",
        "visibilityTimeoutSeconds",
    ], "the name is not one of the provider's"
    assert engine.checked(QUEUE, "q", {}, named)["name"] == "q-19b2585"


def test_unknown_values_pass_through(engine):
    inputs = engine.checked(
        SCHEDULE,
        "nightly",
        {
            "groupName": UNKNOWN,
            "scheduleExpression": "rate(1 day)",
            "flexibleTimeWindow": UNKNOWN,
            "target": {"arn": UNKNOWN, "roleArn": "r"},
        },
    )
    assert inputs["groupName"] == inputs["flexibleTimeWindow"] == UNKNOWN, "as they came"
    assert inputs["target"] == {"arn": UNKNOWN, "roleArn": "r"}, "also inside of a block"


def test_an_unknown_part_makes_a_document_and_the_tags_unknown(engine):
    document = {"Version": "2012-10-17", "Statement": [{"Resource": UNKNOWN}]}
    policy = engine.checked(ROLE_POLICY, "p", {"role": "r", "policy": document})
    assert policy["policy"] == UNKNOWN, "its text is not known"
    queue = engine.checked(QUEUE, "q", {"tags": {"owner": UNKNOWN}})
    assert queue["tagsAll"] == UNKNOWN, "the real provider does not know any of them either"


def test_default_tags_reach_the_resource_and_its_own_tags_win(aws):
    tags = json.dumps({"tags": {"team": "platform", "stage": "dev"}})
    with provider(aws, defaultTags=tags) as engine:
        queue = engine.create(QUEUE, "default-tags", {"tags": {"team": "ranking"}})
        found = aws.client("sqs").list_queue_tags(QueueUrl=queue.id)["Tags"]
        untagged = engine.checked(QUEUE, "q", {})
    assert queue.outputs["tags"] == {"team": "ranking"}, "the program's"
    assert queue.outputs["tagsAll"] == found == {"team": "ranking", "stage": "dev"}, "all"
    assert untagged["tagsAll"] == {"team": "platform", "stage": "dev"}, "without tags of its own"


def test_each_failure_names_its_input(engine):
    _, failures = engine.check(
        SCHEDULE,
        "nightly",
        {
            "name": "every night",
            "scheduleExpression": "rate(1 day)",
            "flexibleTimeWindow": "OFF",
            "target": {"arn": "a", "roleArn": "r", "retryPolicy": {"attempts": 3}},
            "secret": 1,
        },
    )
    assert failures == {
        "flexibleTimeWindow": "a block was expected, not 'OFF'",
        "target": "target.retryPolicy.attempts: unknown or not supported",
        "secret": "unknown or not supported",
        "name": r"'every night' does not match AWS's pattern [0-9a-zA-Z\-_.]+",
    }, "all at once"


def test_a_list_is_refused_where_a_mapping_belongs(engine):
    _, failures = engine.check(ROLE, "worker", {"assumeRolePolicy": TRUST, "tags": ["team"]})
    assert failures == {"tags": "a mapping was expected, not ['team']"}


def test_a_type_that_is_not_in_the_table_is_refused(engine):
    assert message(engine.check, "aws:kms/key:Key", "k", {}) == (
        "aws:kms/key:Key is not supported by the emulator's provider"
    )


def test_a_secret_is_a_value_like_any_other(engine):
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    inputs = engine.checked(QUEUE, "q", {"kmsMasterKeyId": {**secret, "value": "alias/mine"}})
    assert inputs["kmsMasterKeyId"] == "alias/mine"


NOTHING = {
    "changes": "DIFF_NONE",
    "diffs": [],
    "replaces": [],
    "deleteBeforeReplace": False,
    "detailedDiff": {},
}


def test_nothing_differs(engine):
    resource = existing(engine, FUNCTION, "worker", WORKER)
    assert difference(engine, resource, WORKER) == NOTHING


def test_an_archive_is_compared_by_its_content(engine):
    resource = existing(engine, FUNCTION, "worker", WORKER)
    moved = archive("sha-1", elsewhere="")
    assert difference(engine, resource, WORKER | {"code": moved}) == NOTHING, "its hash is equal"
    other = archive("sha-2", work="def handler(*_):\n    return 2\n")
    assert difference(engine, resource, WORKER | {"code": other}) == {
        "changes": "DIFF_SOME",
        "diffs": ["code"],
        "replaces": [],
        "deleteBeforeReplace": False,
        "detailedDiff": {"code": "UPDATE"},
    }


def test_a_policy_is_compared_by_its_meaning(engine):
    resource = existing(engine, ROLE, "worker", {"assumeRolePolicy": TRUST})
    spaced = json.dumps(json.loads(TRUST), indent=2, sort_keys=True)
    assert difference(engine, resource, {"assumeRolePolicy": spaced}) == NOTHING


def test_each_value_that_differs_has_its_path(engine):
    before = {
        "loggingConfiguration": {"level": "ERROR", "includeExecutionData": False},
        "tags": {"team": "ranking", "cost:center": "1", "old": "x"},
        "definition": "{}",
        "roleArn": "r",
    }
    resource = existing(engine, MACHINE, "workflow", before)
    after = before | {
        "loggingConfiguration": {"level": "ALL", "includeExecutionData": False},
        "tracingConfiguration": {"enabled": True},
        "tags": {"team": "search", "cost:center": "2"},
    }
    assert difference(engine, resource, after) == {
        "changes": "DIFF_SOME",
        "diffs": ["loggingConfiguration", "tags", "tagsAll", "tracingConfiguration"],
        "replaces": [],
        "deleteBeforeReplace": False,
        "detailedDiff": {
            "loggingConfiguration.level": "UPDATE",
            "tags.team": "UPDATE",
            'tags["cost:center"]': "UPDATE",
            "tags.old": "DELETE",
            "tagsAll.team": "UPDATE",
            'tagsAll["cost:center"]': "UPDATE",
            "tagsAll.old": "DELETE",
            "tracingConfiguration": "ADD",
        },
    }


def test_a_named_resource_is_deleted_before_its_replacement_is_made(engine):
    resource = existing(engine, LOG_GROUP, "logs", {"name": "/mine"})
    replaced = {
        "changes": "DIFF_SOME",
        "diffs": ["logGroupClass"],
        "replaces": ["logGroupClass"],
        "deleteBeforeReplace": True,
        "detailedDiff": {"logGroupClass": "ADD_REPLACE"},
    }
    change = {"name": "/mine", "logGroupClass": "INFREQUENT_ACCESS"}
    assert difference(engine, resource, change) == replaced, "two cannot have one name"
    automatic = existing(engine, LOG_GROUP, "logs", {})
    assert difference(engine, automatic, {"logGroupClass": "INFREQUENT_ACCESS"}) == (
        replaced | {"deleteBeforeReplace": False}
    ), "the new one gets another name"


def test_another_region_replaces_the_resource(engine):
    resource = existing(engine, QUEUE, "q", {})
    assert difference(engine, resource, {"region": "us-east-1"})["replaces"] == ["region"]


def test_an_input_that_is_not_known_yet_may_be_another(engine):
    resource = existing(engine, ROLE_POLICY, "p", {"role": "r", "policy": TRUST})
    answer = difference(engine, resource, {"role": UNKNOWN, "policy": TRUST})
    assert (answer["diffs"], answer["replaces"]) == (["role"], ["role"])


def test_a_new_resource_is_shown_with_what_is_known(engine):
    shown = engine.preview_create(SCHEDULE, "nightly", {"scheduleExpression": "rate(1 day)"})
    assert shown == {
        "name": "nightly-19b2585",
        "scheduleExpression": "rate(1 day)",
        "scheduleExpressionTimezone": "UTC",
        "state": "ENABLED",
        "region": "eu-west-1",
        "arn": UNKNOWN,
        "groupName": UNKNOWN,
    }, "only AWS decides the rest"


MADE = {
    "arn": "arn:f",
    "version": "3",
    "qualifiedArn": "arn:f:3",
    "qualifiedInvokeArn": "invoke:3",
    "lastModified": "yesterday",
}
RENEWED = {"version": UNKNOWN, "qualifiedArn": UNKNOWN, "qualifiedInvokeArn": UNKNOWN}


@pytest.mark.parametrize(
    ("change", "renewed"),
    [
        ({"code": archive("sha-2", work="")}, RENEWED | {"lastModified": UNKNOWN}),
        ({"architectures": ["x86_64"]}, RENEWED | {"lastModified": UNKNOWN}),
        ({"timeout": 60}, RENEWED),
        ({"tags": {"team": "search"}}, {}),
        ({"reservedConcurrentExecutions": 3}, {}),
        ({"publish": False, "timeout": 60}, {}),
    ],
    ids=["code", "architecture", "configuration", "tags", "concurrency", "not published"],
)
def test_a_new_version_of_a_function_is_not_known_before_it_is_published(engine, change, renewed):
    function = existing(engine, FUNCTION, "worker", WORKER | {"publish": True}, MADE)
    shown = engine.update(function, WORKER | {"publish": True} | change, preview=True).outputs
    assert {name: shown[name] for name in MADE} == MADE | renewed


def test_an_input_that_is_removed_is_not_shown_any_more(engine):
    function = existing(engine, FUNCTION, "worker", WORKER | {"description": "works"}, MADE)
    shown = engine.update(function, WORKER, preview=True).outputs
    assert "description" not in shown, "the old outputs have it"
    assert shown["arn"] == "arn:f", "what AWS has decided stays"


def test_a_preview_writes_nothing(aws, engine):
    aws.control("DELETE", "calls")
    role = existing(engine, ROLE, "worker", {"assumeRolePolicy": TRUST})
    engine.preview_create(ROLE, "worker", {"assumeRolePolicy": TRUST})
    engine.update(role, {"assumeRolePolicy": TRUST, "description": "d"}, preview=True)
    difference(engine, role, {"assumeRolePolicy": TRUST, "description": "d"})
    assert aws.calls() == [], "it does not even ask"


def test_a_refresh_writes_nothing(aws, engine):
    inputs = {"assumeRolePolicy": TRUST, "tags": {"team": "ranking"}}
    role = engine.create(ROLE, "read-only", inputs)
    aws.control("DELETE", "calls")
    engine.read(role)
    actions = {call["action"].partition(":")[2] for call in aws.calls()}
    assert actions == {"GetRole"}
