"""Tags: what is remembered of a job, and read again."""

from functions.personalize.tags import recall, remember
from tests.functions.samples import API_TAGS, CAMPAIGN, IMPORT_JOB, OLD_VERSION, TAGS


def test_tags_are_read_as_a_mapping(personalize):
    answer = {"tags": API_TAGS}
    personalize.says("list_tags_for_resource", answer, resourceArn=IMPORT_JOB)
    assert recall(personalize.client, IMPORT_JOB) == TAGS


def test_one_fact_is_one_tag(personalize):
    tags = [{"tagKey": "retraining-previous-version", "tagValue": OLD_VERSION}]
    personalize.says("tag_resource", {}, resourceArn=CAMPAIGN, tags=tags)
    key = "retraining-previous-version"
    assert remember(personalize.client, CAMPAIGN, key, OLD_VERSION) is None
