"""Tests of reading and writing tags."""

from functions.personalize.tags import api_tags, tags_of, write_tag
from tests.functions.samples import API_TAGS, CAMPAIGN, IMPORT_JOB, OLD_VERSION, TAGS


def test_tags_are_read_as_a_mapping(personalize):
    response = {"tags": API_TAGS}
    personalize.expect("list_tags_for_resource", response, resourceArn=IMPORT_JOB)
    assert tags_of(personalize.client, IMPORT_JOB) == TAGS


def test_one_tag_is_written(personalize):
    key = "retraining-previous-version"
    tags = [{"tagKey": key, "tagValue": OLD_VERSION}]
    personalize.expect("tag_resource", {}, resourceArn=CAMPAIGN, tags=tags)
    assert write_tag(personalize.client, CAMPAIGN, key, OLD_VERSION) is None


def test_tags_are_converted_to_the_form_of_the_api():
    assert api_tags(TAGS) == API_TAGS
