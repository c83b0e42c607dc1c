"""IAM: roles, their inline policies and the managed policies attached to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emulator.deployer import naming
from emulator.deployer.rows import Created, Row, Rows
from emulator.deployer.translation import TAGS, Request, document

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws


def _role(request: Request, aws: Aws) -> Created:
    managed_policies = cast("list[str]", request.pop("ManagedPolicyArns", []))
    role = aws.call("iam", "CreateRole", request)["Role"]
    for arn in managed_policies:
        aws.call("iam", "AttachRolePolicy", {"RoleName": role["RoleName"], "PolicyArn": arn})
    return Created(
        role["RoleName"],
        {
            "arn": role["Arn"],
            "createDate": role["CreateDate"].isoformat(),
            "uniqueId": role["RoleId"],
            "path": role["Path"],
        },
    )


def _role_policy(request: Request, aws: Aws) -> Created:
    aws.call("iam", "PutRolePolicy", request)
    return Created(f"{request['RoleName']}:{request['PolicyName']}")


def _role_policy_attachment(request: Request, aws: Aws) -> Created:
    aws.call("iam", "AttachRolePolicy", request)
    return Created(f"{request['RoleName']}/{request['PolicyArn']}")


ROWS: Rows = {
    "aws:iam/role:Role": Row(
        name=naming.ROLE,
        shape={
            "name": "RoleName",
            "assumeRolePolicy": ("AssumeRolePolicyDocument", document),
            "description": "Description",
            "path": "Path",
            "permissionsBoundary": "PermissionsBoundary",
            "managedPolicyArns": "ManagedPolicyArns",
            "maxSessionDuration": "MaxSessionDuration",
            "tags": ("Tags", TAGS),
        },
        create=_role,
    ),
    "aws:iam/rolePolicy:RolePolicy": Row(
        name=naming.ROLE_POLICY,
        shape={
            "name": "PolicyName",
            "role": "RoleName",
            "policy": ("PolicyDocument", document),
        },
        create=_role_policy,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Row(
        shape={"role": "RoleName", "policyArn": "PolicyArn"},
        create=_role_policy_attachment,
    ),
}
