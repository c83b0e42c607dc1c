"""The roles of IAM and their inline policies."""

from emulator.deployer.rows import OwnCall, Row, Rows, TagCalls

NAME = r"[\w+=,.@-]+"

ROWS: Rows = {
    # terraform-provider-aws, internal/service/iam/role.go. IAM does not delete a role that has
    # policies, and its error is DeleteConflict.
    "aws:iam/role:Role": Row(
        service="iam",
        operation="CreateRole",
        inputs="name path assumeRolePolicy description maxSessionDuration permissionsBoundary tags",
        api_names={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
        documents="assumeRolePolicy",
        name_pattern=NAME,
        defaults={"path": "/", "maxSessionDuration": 3600},
        regional=False,
        read="GetRole",
        found_in="Role",
        read_names={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        outputs={"arn": "Arn", "createDate": "CreateDate", "uniqueId": "RoleId"},
        update="UpdateRole",
        own_calls={
            "assumeRolePolicy": OwnCall("UpdateAssumeRolePolicy", parameter="PolicyDocument"),
            "permissionsBoundary": OwnCall(
                "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"
            ),
        },
        replacing="name path",
        tag_calls=TagCalls("TagRole", "UntagRole", list=""),
        delete="DeleteRole",
    ),
    # internal/service/iam/role_policy.go
    "aws:iam/rolePolicy:RolePolicy": Row(
        service="iam",
        operation="PutRolePolicy",
        inputs="name role policy",
        api_names={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
        documents="policy",
        name_pattern=NAME,
        regional=False,
        id="{RoleName}:{PolicyName}".format_map,
        read="GetRolePolicy",
        update="PutRolePolicy",
        replacing="name role",
        delete="DeleteRolePolicy",
    ),
}
