"""What a probe has to give to its filter: values for the parameters, and perhaps a user."""

from functions.rules.filters import find_filter_problems


def test_golden_problems_of_probes_with_a_filter(golden):
    """A question is the expression of a filter, and the user and the filterValues of a probe."""

    def answer(line):
        expression, _, given = line.partition(" <- ")
        values = dict(pair.split("=", 1) for pair in given.split("; ") if pair)
        probe = {"userId": values.pop("userId", None), "filterValues": values}

        return [*find_filter_problems(expression, probe)]

    golden.answers("filters.txt", answer)
