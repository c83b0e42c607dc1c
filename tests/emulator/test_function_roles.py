"""Proves that Lambda uses a function's role only if the role trusts Lambda."""

import json

from small_stack import (
    ACCOUNT,
    AS_ROOT,
    archive,
    create_function,
    eventually,
    invoke,
    refusal,
    trust,
)

MESSAGE = "The role defined for the function cannot be assumed by Lambda."


def create_request(name, role):
    """Return the arguments of CreateFunction."""
    return {
        "FunctionName": name,
        "Role": role,
        "Runtime": "provided.al2023",
        "Handler": "code.handler",
        "Code": {"ZipFile": archive("")},
    }


def test_a_function_is_not_created_with_a_role_that_does_not_trust_lambda(aws):
    trusts_root = aws.client("iam").create_role(
        RoleName="fr-other", AssumeRolePolicyDocument=AS_ROOT
    )["Role"]["Arn"]
    missing = f"arn:aws:iam::{ACCOUNT}:role/fr-missing"
    for role in (trusts_root, missing):
        error = refusal(aws.client("lambda").create_function, **create_request("fr-none", role))
        assert error == ("InvalidParameterValueException", MESSAGE), role


def test_a_function_whose_role_no_longer_trusts_lambda_does_not_run(aws):
    arn = create_function(aws, "fr-once")
    assert invoke(aws, arn, {"n": 1})["event"] == {"n": 1}
    update = aws.client("iam").update_assume_role_policy
    update(RoleName="fr-once", PolicyDocument=AS_ROOT)
    for name in ("fr-once", arn):
        error = refusal(aws.client("lambda").invoke, FunctionName=name)
        assert error == ("AccessDeniedException", MESSAGE), name
    update(RoleName="fr-once", PolicyDocument=trust("lambda"))
    assert invoke(aws, arn, {"n": 2})["event"] == {"n": 2}, "the role trusts Lambda again"


def test_an_event_does_not_reach_a_function_whose_role_does_not_trust_lambda(aws):
    events = aws.client("events")
    arn = create_function(aws, "fr-event")
    rule = events.put_rule(Name="fr-event", EventPattern=json.dumps({"source": ["fr"]}))["RuleArn"]
    aws.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule="fr-event", Targets=[{"Id": "1", "Arn": arn}])
    aws.client("iam").update_assume_role_policy(RoleName="fr-event", PolicyDocument=AS_ROOT)
    events.put_events(Entries=[{"Source": "fr", "DetailType": "it", "Detail": "{}"}])

    def denied_statuses():
        calls = aws.calls("sts:AssumeRole")
        return [call["status"] for call in calls if call["caller"] == "lambda.amazonaws.com"]

    assert eventually(denied_statuses, bool) == [403]
