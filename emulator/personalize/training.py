"""A small item-to-item model, trained on interactions and evaluated on held-out users."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, normalize
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from emulator.personalize.recipes import Recipe
from emulator.personalize.tables import Table

Scores = NDArray[np.float64]
History = Sequence[int]
"""The items of a user, oldest first, as positions in a list of items."""

NEIGHBOURS = 100  # items that an item is compared with
DECAY = 0.9  # the weight of an interaction of a user relative to the user's next one
HELD_OUT_USERS = 0.1  # guide, "Evaluating a solution version": a random 10% of users
HELD_OUT_INTERACTIONS = 0.1  # of each held-out user, the newest
RANKS = 25  # the metrics use the first 25 items


class SplitHistory(NamedTuple):
    """A user's history in two parts. The model has to guess the hidden one from the known one."""

    known: History
    hidden: History


@dataclass(frozen=True, eq=False)
class Model:
    """The model of a solution version.

    The items that a method returns have scores that add up to 1, and the best one is first.
    """

    items: Sequence[str]
    """The ids of the items, in the order of the columns of all matrices."""

    histories: Mapping[str, History]
    """The histories of all users by their ids."""

    popularity: Scores
    """The number of interactions of each item."""

    similarity: csr_matrix | None = None
    """A matrix with a row and a column for each item. A model of popularity has None."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """The metrics of GetSolutionMetrics, which `evaluate` explains."""

    def recommend_to_user(self, user_id: str) -> dict[str, float]:
        """Recommend items that are new to a user. A user without a history gets popular items."""
        return self._rank_new_items(self.histories.get(user_id, []))

    def recommend_similar_items(self, item_id: str) -> dict[str, float]:
        """Recommend items that are similar to an item. For an unknown item they are popular."""
        history = []
        if item_id in self.items:
            history.append(self.items.index(item_id))

        return self._rank_new_items(history)

    def rank_users(self, item_id: str) -> dict[str, float]:
        """Rank the users who like an item by their scores. Nobody likes an unknown item."""
        if item_id not in self.items:
            return {}

        scores = self.score_items([*self.histories.values()])[:, self.items.index(item_id)]
        users = list(self.histories)
        best_first = np.argsort(-scores, kind="stable")
        return {users[row]: float(scores[row]) for row in best_first if scores[row] > 0}

    def rank_items(self, user_id: str, item_ids: Sequence[str]) -> dict[str, float]:
        """Rank the given items for a user. An unknown item has the score 0."""
        [scores] = self.score_items([self.histories.get(user_id, [])])
        score_by_item = dict(zip(self.items, scores, strict=True))
        requested = {item: score_by_item.get(item, 0) for item in item_ids}

        # If none of the items is known, each of them keeps the score 0.
        total = sum(requested.values()) or 1
        best_first = sorted(requested.items(), key=itemgetter(1), reverse=True)
        return {item: score / total for item, score in best_first}

    def score_items(self, histories: Sequence[History]) -> Scores:
        """Compute a matrix of scores, with a row for each history and a column for each item.

        If the model has `similarity`, popularity only decides between items that are equally
        similar to the history.
        """
        popularity = self.popularity / self.popularity.sum()
        if self.similarity is None:
            return np.tile(popularity, (len(histories), 1))

        weights = [DECAY ** np.arange(len(history) - 1, -1, -1) for history in histories]
        weighted = _build_matrix(histories, np.concatenate(weights), len(self.items))
        scores: Scores = (weighted @ self.similarity).toarray() + popularity / 1000
        return scores

    def _rank_new_items(self, history: History) -> dict[str, float]:
        """Rank the items that are not in a history and have a positive score, best first."""
        [scores] = self.score_items([history])
        scores[list(history)] = 0

        total = scores.sum()
        best_first = np.argsort(-scores, kind="stable")
        return {
            self.items[position]: float(scores[position] / total)
            for position in best_first
            if scores[position] > 0
        }


def train(data: Table, recipe: Recipe, *, only_popularity: bool = False) -> Model:
    """Train a model on rows, and evaluate it. Equal rows always give an equal model."""
    items = sorted(set(data.column(recipe.item_column)))
    if recipe.dataset_type == "ITEMS":
        return _train_on_items(items)

    histories = _list_histories(data, recipe.item_column, items)
    held_out_users = _choose_held_out_users(histories)

    model = Model(items, histories, _count_interactions(histories, len(items)))
    if recipe.type != "POPULAR_ITEMS" and not only_popularity:
        model = _learn_similarity(model, held_out_users)

    metrics = evaluate(model, [histories[user] for user in held_out_users])
    return replace(model, metrics=metrics)


def _train_on_items(items: Sequence[str]) -> Model:
    """Build a model to which all items are equally similar, because there are no interactions.

    There is nothing to evaluate either: each item is recommended to somebody.
    """
    return Model(items, {}, np.ones(len(items)), metrics={"coverage": 1})


def _count_interactions(histories: Mapping[str, History], item_count: int) -> Scores:
    """Count the interactions of each item, which are its popularity."""
    positions = np.concatenate([*histories.values()])
    return np.bincount(positions, minlength=item_count).astype(np.float64)


def _list_histories(
    interactions: Table, item_column: str, items: Sequence[str]
) -> dict[str, list[int]]:
    """List the history of each user."""
    columns = [interactions.column(name) for name in ("TIMESTAMP", "USER_ID", item_column)]
    oldest_first = sorted(zip(*columns, strict=True), key=itemgetter(0))
    positions = {item: position for position, item in enumerate(items)}

    histories: defaultdict[str, list[int]] = defaultdict(list)
    for _, user, item in oldest_first:
        histories[user].append(positions[item])

    return dict(histories)


def _choose_held_out_users(histories: Mapping[str, History]) -> dict[str, None]:
    """Choose a tenth of the users with at least two interactions, as the keys of a dict.

    A dict keeps their order, and finds a user faster than a list. They are selected by a hash of
    their ids, so that the other users make no difference to the order.
    """
    users = [user for user, history in histories.items() if len(history) > 1]
    users.sort(key=lambda user: hashlib.sha256(user.encode()).digest())
    held_out_count = math.ceil(len(users) * HELD_OUT_USERS)
    return dict.fromkeys(users[:held_out_count])


def _learn_similarity(model: Model, held_out_users: Collection[str]) -> Model:
    """Learn which items are similar, from all users who are not held out."""
    known_users = [user for user in model.histories if user not in held_out_users]
    known_histories = [model.histories[user] for user in known_users]

    similarity = _compute_similarity(known_histories, len(model.items))
    return replace(model, similarity=similarity)


def _compute_similarity(histories: Sequence[History], item_count: int) -> csr_matrix:
    """Compute the cosine similarity of each item to its nearest neighbours.

    The vector of an item has an entry for each user, which is the number of interactions.
    """
    interaction_count = sum(map(len, histories))
    counts = _build_matrix(histories, np.ones(interaction_count), item_count)
    counts.sum_duplicates()

    recommender = ItemItemRecommender(K=NEIGHBOURS, num_threads=1)
    recommender.fit(normalize(counts.T).T.tocsr(), show_progress=False)
    return recommender.similarity


def _build_matrix(histories: Sequence[History], weights: Scores, item_count: int) -> csr_matrix:
    """Build a matrix with a row for each history, with the weight of each of its interactions."""
    positions = np.array([position for history in histories for position in history], dtype=np.intp)
    row_starts = np.cumsum([0, *map(len, histories)])
    return csr_matrix((weights, positions, row_starts), shape=(len(histories), item_count))


def evaluate(model: Model, histories: Sequence[History]) -> dict[str, float]:
    """Compute the metrics of GetSolutionMetrics, each a mean over users between 0 and 1.

    Each history belongs to a user who was held out of the training. The newest interactions of the
    user are hidden, and the model ranks all items that are not in the rest of the history. A hit
    is a hidden item among the first ranks.
    """
    splits = [_hide_newest(history) for history in histories]
    ranked = _rank_unknown_items(model, [split.known for split in splits])

    hits = _find_hits(ranked, splits)
    metrics = _compute_metrics(hits, [len(set(split.hidden)) for split in splits])
    metrics["coverage"] = round(len(np.unique(ranked)) / len(model.items), 4)
    return metrics


def _hide_newest(history: History) -> SplitHistory:
    """Hide the newest interactions of a user, at least one."""
    hidden_count = math.ceil(len(history) * HELD_OUT_INTERACTIONS)
    return SplitHistory(history[:-hidden_count], history[-hidden_count:])


def _rank_unknown_items(model: Model, histories: Sequence[History]) -> NDArray[np.intp]:
    """Rank, in a row for each history, the best items that are not in it, best first."""
    scores = model.score_items(histories)
    for row, history in zip(scores, histories, strict=True):
        row[list(history)] = -1  # less than every other score

    ranked: NDArray[np.intp] = np.argsort(-scores, axis=1, kind="stable")[:, :RANKS]
    return ranked


def _find_hits(ranked: NDArray[np.intp], splits: Sequence[SplitHistory]) -> NDArray[np.bool_]:
    """Tell for each user, in a row, and for each rank if the item there is a hidden one."""
    pairs = zip(ranked, splits, strict=True)
    return np.array([np.isin(items, split.hidden) for items, split in pairs])


def _compute_metrics(hits: NDArray[np.bool_], hidden_counts: Sequence[int]) -> dict[str, float]:
    """Compute the metrics of hits, which have a row for each user and a column for each rank.

    `hidden_counts` has the number of items that each user could hit.
    """
    metrics = {"mean_reciprocal_rank_at_25": _compute_reciprocal_ranks(hits)}
    for rank in (5, 10, 25):
        first_hits = hits[:, :rank]
        gains = _compute_cumulative_gains(first_hits, hidden_counts)
        metrics[f"normalized_discounted_cumulative_gain_at_{rank}"] = gains
        metrics[f"precision_at_{rank}"] = first_hits.sum(axis=1) / rank

    return {name: round(float(values.mean()), 4) for name, values in metrics.items()}


def _compute_reciprocal_ranks(hits: NDArray[np.bool_]) -> Scores:
    """Compute the reciprocal rank of each user's first hit, which is 0 without a hit."""
    reciprocal_ranks: Scores = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0)
    return reciprocal_ranks


def _compute_cumulative_gains(hits: NDArray[np.bool_], hidden_counts: Sequence[int]) -> Scores:
    """Compute the normalized discounted cumulative gain of each user."""
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best_sums = np.array([gains[:count].sum() for count in hidden_counts])
    normalized_gains: Scores = (hits * gains).sum(axis=1) / best_sums
    return normalized_gains
