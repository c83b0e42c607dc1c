"""Proves that the internals of other libraries that the emulator uses are still in their places.

The running emulator replaces them in its own process, and other tests prove that this works. If a
place has moved, these tests name it.
"""

import inspect

import pytest
from hypercorn.protocol.http_stream import HTTPStream
from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import (
    cloudwatch,
    cloudwatch_logs,
    eventbridge,
    iam,
    lambda_svc,
    s3,
    scheduler,
    sns,
    sts,
)


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (app, "_reset_all_state", ""),
        (eventbridge, "_invoke_target", "target event rule view"),
        (eventbridge, "_put_events", "data allow_aws_source"),
        (scheduler, "start_scheduler", ""),
        (cloudwatch, "_put_metric_alarm", "params cbor_data is_cbor is_json"),
        (cloudwatch, "_dispatch_alarm_actions", "alarm old_state new_state reason"),
        (cloudwatch, "_history_entries", ""),
        (sns, "_topic_by_arn_any_scope", "topic_arn"),
        (sts, "register_session", "access_key session"),
        (lambda_svc, "function_policy_for_arn", "resource_arn"),
        (
            lambda_svc,
            "_emit_lambda_logs",
            "func request_id log_text error duration_ms log_source",
        ),
        (lambda_runtime, "execution_credentials", "config"),
        (
            lambda_runtime.Worker,
            "_drain_stderr_bounded",
            "self first_line_wait idle_confirm hard_cap",
        ),
        (iam_evaluator, "resolve_caller_identity", "access_key_id"),
        (iam_evaluator, "evaluate_trust_policy", "trust_doc caller_arn ctx"),
        (
            iam_evaluator,
            "evaluate_resource_policy",
            "doc ctx service named_only direct_only",
        ),
        (
            iam_evaluator,
            "enforce",
            "access_key_id iam_action service region resource_arn service_context",
        ),
        (iam_evaluator, "check_credentials", "access_key_id service"),
        (
            iam_evaluator,
            "pin_signed_request",
            "method raw_path query_params raw_headers handshake",
        ),
        (iam_evaluator, "pin_signed_body", "body"),
        (
            iam_actions,
            "identity_denial_message",
            "action principal_arn resource explicit_deny",
        ),
        (
            iam_actions,
            "extract_iam_action",
            "service method path headers body query_params",
        ),
        (
            iam_actions,
            "extract_resource_arn",
            "service method path headers body query_params region account_id",
        ),
        (HTTPStream, "app_send", "self message"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_function_that_is_called_or_replaced_has_its_signature(owner, name, parameters):
    function = getattr(owner, name, None)
    assert function is not None, (
        f"{owner.__name__} no longer has {name}; change the code that uses it"
    )
    assert " ".join(inspect.signature(function).parameters) == parameters, (
        f"{owner.__name__}.{name} has other parameters now; change the code that uses it"
    )


@pytest.mark.parametrize(
    ("store", "method"),
    [
        (iam._roles, "get_scoped"),  # noqa: SLF001 - the subject of the test
        (s3._bucket_policies, "get_scoped"),  # noqa: SLF001
        (scheduler._schedules, "all_items"),  # noqa: SLF001
        (cloudwatch_logs._log_groups, "get"),  # noqa: SLF001
        (cloudwatch._alarms, "get"),  # noqa: SLF001
    ],
)
def test_a_store_that_is_read_has_its_method(store, method):
    assert hasattr(store, method), f"{type(store).__name__} has no {method}"


def test_ministack_has_its_handlers_by_service():
    assert {"states", "scheduler", "logs"} <= set(app.SERVICE_HANDLERS)


def test_nagles_algorithm_can_be_turned_off_for_the_server_of_functions():
    source = inspect.getsource(lambda_runtime.ProvidedWorker)
    assert "http.server.BaseHTTPRequestHandler" in source
