"""Deploys the retraining pipeline that the stack's config describes."""

import pulumi

from components import RetrainingPipeline, settings

pipeline_name = settings.build_pipeline_name(pulumi.get_stack())
pipeline = RetrainingPipeline(pipeline_name, settings.load())

pulumi.export("state_machine_arn", pipeline.state_machine_arn)
pulumi.export("schedule_arn", pipeline.schedule_arn)
pulumi.export("log_group_name", pipeline.log_group_name)
pulumi.export("import_role_arn", pipeline.import_role_arn)
pulumi.export("topic_arn", pipeline.topic_arn)
pulumi.export("dashboard_url", pipeline.dashboard_url)
pulumi.export("dead_letter_queue_url", pipeline.dead_letter_queue_url)
