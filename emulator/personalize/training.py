"""A small item-to-item model: how it's trained, evaluated and asked for recommendations.

Like in Personalize, some users are *held out* of the training. The model is evaluated by whether it
predicts their newest interactions.
"""

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
"""The items that a user interacted with, oldest first.

An item is represented by its position in `Model.items`."""

NEIGHBOURS = 100
"""How many of the most similar items the model keeps for each item."""
RECENCY_DECAY = 0.9
"""How much each interaction weighs, relative to the user's next one."""
HELD_OUT_USER_SHARE = 0.1
"""Personalize holds out a random 10% of users (guide, "Evaluating a solution version")."""
HELD_OUT_INTERACTION_SHARE = 0.1
"""How much of a held-out user's history the model has to predict: the newest interactions."""
MAX_RANK = 25
"""The metrics ignore items that are ranked lower."""


class SplitHistory(NamedTuple):
    """A held-out user's history. The model is shown the older part, and has to predict the rest."""

    known: History
    hidden: History


@dataclass(frozen=True, eq=False)
class Model:
    """The trained model of a solution version.

    Recommended and ranked items come with scores that add up to 1, best item first.
    """

    items: Sequence[str]
    """The IDs of all items. Matrices have their columns in the same order."""

    histories: Mapping[str, History]
    """User ID -> history."""

    popularity: Scores
    """The number of interactions of each item."""

    similarity: csr_matrix | None = None
    """A matrix with a row and a column per item. It's None if only popularity matters."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """The offline metrics that GetSolutionMetrics returns."""

    def recommend_to_user(self, user_id: str) -> dict[str, float]:
        """Recommend items that are new to a user. Unknown users get popular items."""
        return self._rank_new_items(self.histories.get(user_id, []))

    def recommend_similar_items(self, item_id: str) -> dict[str, float]:
        """Recommend items that are similar to an item. If it's unknown, recommend popular ones."""
        history = []
        if item_id in self.items:
            history.append(self.items.index(item_id))

        return self._rank_new_items(history)

    def rank_users(self, item_id: str) -> dict[str, float]:
        """Rank the users who have an affinity for an item. If it's unknown, there are none."""
        if item_id not in self.items:
            return {}

        scores = self.score_items([*self.histories.values()])[:, self.items.index(item_id)]
        users = list(self.histories)
        best_first = np.argsort(-scores, kind="stable")
        return {users[row]: float(scores[row]) for row in best_first if scores[row] > 0}

    def rank_items(self, user_id: str, item_ids: Sequence[str]) -> dict[str, float]:
        """Rank the given items for a user. Unknown items get a score of 0, so they come last."""
        [scores] = self.score_items([self.histories.get(user_id, [])])
        score_by_item = dict(zip(self.items, scores, strict=True))
        requested = {item: score_by_item.get(item, 0) for item in item_ids}

        # If all items are unknown, don't divide by 0.
        total = sum(requested.values()) or 1
        best_first = sorted(requested.items(), key=itemgetter(1), reverse=True)
        return {item: score / total for item, score in best_first}

    def score_items(self, histories: Sequence[History]) -> Scores:
        """Compute a matrix of scores, with a row per history and a column per item.

        If the model knows about similarity, popularity is little more than a tie-breaker.
        """
        popularity = self.popularity / self.popularity.sum()
        if self.similarity is None:
            return np.tile(popularity, (len(histories), 1))

        weights = [RECENCY_DECAY ** np.arange(len(history) - 1, -1, -1) for history in histories]
        weighted = _build_matrix(histories, np.concatenate(weights), len(self.items))
        scores: Scores = (weighted @ self.similarity).toarray() + popularity / 1000
        return scores

    def _rank_new_items(self, history: History) -> dict[str, float]:
        """Rank all items with a positive score that aren't in the history, best first."""
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
    """Train and evaluate a model. It isn't random, so the same data gives the same model."""
    items = sorted(set(data.column(recipe.item_column)))
    if recipe.dataset_type == "ITEMS":
        # Without interactions, all items are equally similar. There's nothing to predict either, so
        # coverage is the only metric.
        return Model(items, {}, np.ones(len(items)), metrics={"coverage": 1})

    histories = _list_histories(data, recipe.item_column, items)
    held_out_users = _choose_held_out_users(histories)

    model = Model(items, histories, _count_interactions(histories, len(items)))
    if recipe.type != "POPULAR_ITEMS" and not only_popularity:
        model = _learn_similarity(model, held_out_users)

    metrics = evaluate(model, [histories[user] for user in held_out_users])
    return replace(model, metrics=metrics)


def _count_interactions(histories: Mapping[str, History], item_count: int) -> Scores:
    """Count the interactions of each item, as a measure of its popularity."""
    positions = np.concatenate([*histories.values()])
    return np.bincount(positions, minlength=item_count).astype(np.float64)


def _list_histories(
    interactions: Table, item_column: str, items: Sequence[str]
) -> dict[str, list[int]]:
    """Group the interactions by user. Each history is a list of positions in `items`."""
    columns = [interactions.column(name) for name in ("TIMESTAMP", "USER_ID", item_column)]
    oldest_first = sorted(zip(*columns, strict=True), key=itemgetter(0))
    positions = {item: position for position, item in enumerate(items)}

    histories: defaultdict[str, list[int]] = defaultdict(list)
    for _, user, item in oldest_first:
        histories[user].append(positions[item])

    return dict(histories)


def _choose_held_out_users(histories: Mapping[str, History]) -> dict[str, None]:
    """Choose a tenth of the users with at least two interactions, as the keys of a dict.

    A dict keeps their order, and looks up a user faster than a list. The users are ordered by a
    hash of their IDs, which mixes them, but doesn't depend on which other users there are.
    """
    users = [user for user, history in histories.items() if len(history) > 1]
    users.sort(key=lambda user: hashlib.sha256(user.encode()).digest())
    held_out_count = math.ceil(len(users) * HELD_OUT_USER_SHARE)
    return dict.fromkeys(users[:held_out_count])


def _learn_similarity(model: Model, held_out_users: Collection[str]) -> Model:
    """Add the cosine similarity of each item to its nearest neighbours to a model.

    An item is represented by a vector with the number of interactions of each user, except those
    who are held out.
    """
    histories = [history for user, history in model.histories.items() if user not in held_out_users]
    interaction_count = sum(map(len, histories))
    counts = _build_matrix(histories, np.ones(interaction_count), len(model.items))
    counts.sum_duplicates()

    recommender = ItemItemRecommender(K=NEIGHBOURS, num_threads=1)
    recommender.fit(normalize(counts.T).T.tocsr(), show_progress=False)
    return replace(model, similarity=recommender.similarity)


def _build_matrix(histories: Sequence[History], weights: Scores, item_count: int) -> csr_matrix:
    """Build a sparse matrix with a row per history and a column per item.

    `weights` contains the weight of each interaction, one history after the other.
    """
    positions = np.array([position for history in histories for position in history], dtype=np.intp)
    row_starts = np.cumsum([0, *map(len, histories)])
    return csr_matrix((weights, positions, row_starts), shape=(len(histories), item_count))


def evaluate(model: Model, histories: Sequence[History]) -> dict[str, float]:
    """Compute the offline metrics, each of which is an average over users between 0 and 1.

    The histories are those of held-out users. The newest interactions of each user are hidden, and
    the model ranks all items that are new to the user. If a hidden item is ranked high enough,
    that's a hit.
    """
    splits = [_split_history(history) for history in histories]
    score_rows = model.score_items([split.known for split in splits])
    rankings = [_rank_items(row, split) for row, split in zip(score_rows, splits, strict=True)]

    user_metrics = [
        _compute_user_metrics(ranking, split.hidden)
        for ranking, split in zip(rankings, splits, strict=True)
    ]
    averages = {
        name: round(float(np.mean([metrics[name] for metrics in user_metrics])), 4)
        for name in user_metrics[0]
    }
    coverage = round(len(np.unique(rankings)) / len(model.items), 4)
    return {**averages, "coverage": coverage}


def _split_history(history: History) -> SplitHistory:
    """Hide a user's newest interactions, at least one, from the model."""
    hidden_count = math.ceil(len(history) * HELD_OUT_INTERACTION_SHARE)
    return SplitHistory(history[:-hidden_count], history[-hidden_count:])


def _rank_items(scores: Scores, split: SplitHistory) -> NDArray[np.intp]:
    """Return the positions of the best items that the user didn't interact with before."""
    scores[list(split.known)] = -1  # All other scores are higher.
    return np.argsort(-scores, kind="stable")[:MAX_RANK]


def _compute_user_metrics(ranking: NDArray[np.intp], hidden: History) -> dict[str, float]:
    """Compute the metrics of one user from the ranked and the hidden items."""
    hits = np.isin(ranking, hidden)
    gains = 1 / np.log2(np.arange(2, len(hits) + 2))  # A hit is worth less at a lower rank.

    metrics: dict[str, float] = {"mean_reciprocal_rank_at_25": hits.any() / (1 + hits.argmax())}
    for rank in (5, 10, 25):
        # Normalize the gain by that of a perfect ranking, which begins with the hidden items.
        best_hit_count = min(rank, len(set(hidden)))
        gain = (hits * gains)[:rank].sum() / gains[:best_hit_count].sum()
        metrics[f"normalized_discounted_cumulative_gain_at_{rank}"] = gain
        metrics[f"precision_at_{rank}"] = hits[:rank].sum() / rank

    return metrics
