"""Lambda uses a function's role only where the role lets it."""

import json

from small_stack import ACCOUNT, AS_ROOT, archive, eventually, function, invoke, refusal, trust

CANNOT = "The role defined for the function cannot be assumed by Lambda."


def creation(name, role):
    return {
        "FunctionName": name,
        "Role": role,
        "Runtime": "provided.al2023",
        "Handler": "code.handler",
        "Code": {"ZipFile": archive("")},
    }


def test_a_function_is_not_created_with_a_role_that_does_not_trust_lambda(aws):
    other = aws.client("iam").create_role(RoleName="fr-other", AssumeRolePolicyDocument=AS_ROOT)
    missing = f"arn:aws:iam::{ACCOUNT}:role/fr-missing"
    for role in (other["Role"]["Arn"], missing):
        refused = refusal(aws.client("lambda").create_function, **creation("fr-none", role))
        assert refused == ("InvalidParameterValueException", CANNOT), role


def test_a_function_whose_role_no_longer_trusts_lambda_does_not_run(aws):
    arn = function(aws, "fr-once")
    assert invoke(aws, arn, {"n": 1})["event"] == {"n": 1}
    change = aws.client("iam").update_assume_role_policy
    change(RoleName="fr-once", PolicyDocument=AS_ROOT)
    for name in ("fr-once", arn):
        refused = refusal(aws.client("lambda").invoke, FunctionName=name)
        assert refused == ("AccessDeniedException", CANNOT), name
    change(RoleName="fr-once", PolicyDocument=trust("lambda"))
    assert invoke(aws, arn, {"n": 2})["event"] == {"n": 2}, "put back"


def test_an_event_does_not_reach_a_function_whose_role_does_not_trust_lambda(aws):
    events, code = aws.client("events"), aws.client("lambda")
    arn = function(aws, "fr-event")
    rule = events.put_rule(Name="fr-event", EventPattern=json.dumps({"source": ["fr"]}))["RuleArn"]
    code.add_permission(
        FunctionName=arn,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule="fr-event", Targets=[{"Id": "1", "Arn": arn}])
    aws.client("iam").update_assume_role_policy(RoleName="fr-event", PolicyDocument=AS_ROOT)
    events.put_events(Entries=[{"Source": "fr", "DetailType": "it", "Detail": "{}"}])
    denied = eventually(
        lambda: [c for c in aws.calls("sts:AssumeRole") if c["caller"] == "lambda.amazonaws.com"],
        bool,
    )
    assert [call["status"] for call in denied] == [403]
