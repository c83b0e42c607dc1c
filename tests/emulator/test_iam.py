"""Proves what IAM's simulation says about a role with a policy and a permissions boundary."""

import small_stack as s

READ = "s3:GetObject"
WRITE = "s3:PutObject"


def test_a_simulation_counts_the_permissions_boundary_of_a_role(aws):
    iam = aws.client("iam")
    role = iam.create_role(RoleName="bounded", AssumeRolePolicyDocument=s.trust("lambda"))["Role"]
    s.grant(aws, "bounded", s.allow([READ, WRITE]))
    boundary = iam.create_policy(
        PolicyName="only-read", PolicyDocument=s.policy(s.allow([READ, "s3:ListBucket"]))
    )["Policy"]["Arn"]

    def decisions():
        actions = [READ, WRITE, "s3:ListBucket"]
        simulated = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=actions)
        return [result["EvalDecision"] for result in simulated["EvaluationResults"]]

    assert decisions() == ["allowed", "allowed", "implicitDeny"]

    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=boundary)
    assert decisions() == ["allowed", "implicitDeny", "implicitDeny"], "both have to allow it"
