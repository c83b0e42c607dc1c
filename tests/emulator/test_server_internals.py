"""Proves that the internals of other libraries that the emulator uses are still in their places.

The running emulator replaces them in its own process, and other tests prove that this works. If a
place has moved, these tests name it.
"""

import importlib
import inspect
import pkgutil

import pytest

PLACES = """
ministack.core.iam_actions extract_iam_action(service method path headers body query_params)
ministack.core.iam_actions extract_resource_arn(service method path headers body query_params region account_id)
ministack.core.iam_actions identity_denial_message(action principal_arn resource explicit_deny)
ministack.core.iam_evaluator check_credentials(access_key_id service)
ministack.core.iam_evaluator enforce(access_key_id iam_action service region resource_arn service_context)
ministack.core.iam_evaluator evaluate_resource_policy(doc ctx service named_only direct_only)
ministack.core.iam_evaluator evaluate_trust_policy(trust_doc caller_arn ctx)
ministack.core.iam_evaluator pin_signed_body(body)
ministack.core.iam_evaluator pin_signed_request(method raw_path query_params raw_headers handshake)
ministack.core.iam_evaluator resolve_caller_identity(access_key_id)
ministack.core.lambda_runtime execution_credentials(config)
ministack.core.lambda_runtime ProvidedRuntimeError(message error_type)
ministack.core.lambda_runtime ProvidedWorker._await_init(self init_timeout)
ministack.core.lambda_runtime Worker._drain_stderr_bounded(self first_line_wait idle_confirm hard_cap)
ministack.services.cloudwatch _alarms.get(key default)
ministack.services.cloudwatch _dispatch_alarm_actions(alarm old_state new_state reason)
ministack.services.cloudwatch _history_entries()
ministack.services.cloudwatch _put_metric_alarm(params cbor_data is_cbor is_json)
ministack.services.cloudwatch_logs _log_groups.get(key default)
ministack.services.eventbridge _invoke_target(target event rule view)
ministack.services.eventbridge _put_events(data allow_aws_source)
ministack.services.iam _roles.get_scoped(account_id region key default)
ministack.services.lambda_svc _emit_lambda_logs(func request_id log_text error duration_ms log_source)
ministack.services.lambda_svc _execute_function_provided_warm(func event request_id)
ministack.services.lambda_svc _execute_function_warm(func event request_id)
ministack.services.lambda_svc _functions.get(key default)
ministack.services.lambda_svc _resolve_request_scoped_name(name_or_arn)
ministack.services.lambda_svc function_policy_for_arn(resource_arn)
ministack.services.s3 _bucket_policies.get_scoped(account_id region key default)
ministack.services.scheduler _schedules.all_items()
ministack.services.scheduler _untag_resource(arn query)
ministack.services.scheduler start_scheduler()
ministack.services.sns topic_policy_for_arn(topic_arn)
ministack.services.sqs queue_policy_for_arn(queue_arn)
ministack.services.sns _topic_by_arn_any_scope(topic_arn)
ministack.services.sts register_session(access_key session)
hypercorn.protocol.http_stream HTTPStream.app_send(self message)
"""  # noqa: E501  # a place for each line
"""Modules, and functions of them with their parameters, that are called or replaced."""


@pytest.mark.parametrize("place", PLACES.strip().splitlines())
def test_a_function_that_is_called_or_replaced_has_its_signature(place):
    module, _, rest = place.partition(" ")
    name, _, parameters = rest.removesuffix(")").partition("(")
    function = pkgutil.resolve_name(f"{module}:{name}")
    assert " ".join(inspect.signature(function).parameters) == parameters, (
        f"{module}.{name} has other parameters now; change the code that uses it"
    )


def test_ministack_has_its_handlers_by_service():
    app = importlib.import_module("ministack.app")
    assert {"lambda", "logs", "scheduler", "states"} <= set(app.SERVICE_HANDLERS)


def test_nagles_algorithm_can_be_turned_off_for_the_server_of_functions():
    runtime = importlib.import_module("ministack.core.lambda_runtime")
    source = inspect.getsource(runtime.ProvidedWorker)
    assert "http.server.BaseHTTPRequestHandler" in source
