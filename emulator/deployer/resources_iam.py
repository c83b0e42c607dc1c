"""IAM: roles and their inline policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import Change, Found, Place, Row, Rows, Tagging
from emulator.deployer.translation import DOCUMENT, TAGS, Request

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws


def _create_role(request: Request, aws: Aws) -> str:
    return str(aws.call("iam", "CreateRole", request)["Role"]["RoleName"])


def _read_role(place: Place, aws: Aws) -> Found:
    role = aws.call("iam", "GetRole", {"RoleName": place.id})["Role"]
    boundary = role.pop("PermissionsBoundary", None)
    if boundary is not None:
        role["PermissionsBoundary"] = boundary["PermissionsBoundaryArn"]
    role.setdefault("Tags", [])
    return Found(
        role,
        {
            "arn": role["Arn"],
            "createDate": role["CreateDate"].isoformat(),
            "uniqueId": role["RoleId"],
        },
    )


def _update_role(change: Change, aws: Aws) -> None:
    role, new = {"RoleName": change.place.id}, change.new
    if "AssumeRolePolicyDocument" in change.names:
        document = {"PolicyDocument": new["AssumeRolePolicyDocument"]}
        aws.call("iam", "UpdateAssumeRolePolicy", role | document)
    if change.names & {"Description", "MaxSessionDuration"}:
        description = {"Description": new.get("Description", "")}
        duration = {"MaxSessionDuration": new["MaxSessionDuration"]}
        aws.call("iam", "UpdateRole", role | description | duration)
    if boundary := change.of("PermissionsBoundary"):
        aws.call("iam", "PutRolePermissionsBoundary", role | boundary)
    elif "PermissionsBoundary" in change.names:
        aws.call("iam", "DeleteRolePermissionsBoundary", role)


def _put_role_policy(request: Request, aws: Aws) -> str:
    aws.call("iam", "PutRolePolicy", request)
    return f"{request['RoleName']}:{request['PolicyName']}"


def _role_policy(place: Place) -> Request:
    """Return the parameters that name an inline policy."""
    role, _, policy = place.id.partition(":")
    return {"RoleName": role, "PolicyName": policy}


ROWS: Rows = {
    # terraform-provider-aws, internal/service/iam/role.go: ForceNew on name and path.
    "aws:iam/role:Role": Row(
        name=naming.ROLE,
        shape={
            "name": "RoleName",
            "assumeRolePolicy": ("AssumeRolePolicyDocument", DOCUMENT),
            "description": "Description",
            "path": "Path",
            "permissionsBoundary": "PermissionsBoundary",
            "maxSessionDuration": "MaxSessionDuration",
            "tags": ("Tags", TAGS),
        },
        defaults={"path": "/", "maxSessionDuration": 3600},
        regional=False,
        replaces=frozenset({"name", "path"}),
        create=_create_role,
        read=_read_role,
        update=_update_role,
        delete=lambda place, aws, _: aws.call("iam", "DeleteRole", {"RoleName": place.id}),
        tagging=Tagging("iam", "RoleName", tag="TagRole", untag="UntagRole"),
        decided=frozenset({"arn", "createDate", "uniqueId"}),
    ),
    # internal/service/iam/role_policy.go: ForceNew on name and role.
    "aws:iam/rolePolicy:RolePolicy": Row(
        name=naming.ROLE_POLICY,
        shape={
            "name": "PolicyName",
            "role": "RoleName",
            "policy": ("PolicyDocument", DOCUMENT),
        },
        regional=False,
        replaces=frozenset({"name", "role"}),
        create=_put_role_policy,
        read=lambda place, aws: Found(aws.call("iam", "GetRolePolicy", _role_policy(place))),
        update=lambda change, aws: _put_role_policy(change.new, aws),
        delete=lambda place, aws, _: aws.call("iam", "DeleteRolePolicy", _role_policy(place)),
    ),
}
