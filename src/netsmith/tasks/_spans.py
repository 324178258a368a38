"""F1 over names, by CoNLL's rule, and the fields of tasks that give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import model_validator
from torch import Tensor

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.errors import ConfigError, shorten
from netsmith.core.roles import TaskConfig
from netsmith.engine.task import UNLABELED, Metric
from netsmith.layers.spans import SCHEMES, Scheme, is_tag, spans_of

__all__ = ["SchemeFields", "SpanF1", "span_metric", "spans_found"]


class SpanF1(Metric):
    r"""The harmonic mean of precision and recall over spans: one counts where kind, beginning and end are right.

    .. math:: F_1 = \frac{2 c}{p + t}

    with c right ones among p that were found and t true ones, in all sentences together (micro-average); as
    ``conlleval`` and ``seqeval`` have it. Tokens without a label are left out of their sentence first. 0 where there
    are no spans at all, found or true.

    Args:
        tags: Returns the tags ``(B, L)`` int64 for a network's output.
        names: The tags' names.

    Attributes:
        right: Spans that were found and are true.
        found: Spans that were found.
        true: Spans that are true.
    """

    def __init__(self, tags: Callable[[Tensor], Tensor], names: Sequence[str]) -> None:
        self.tags = tags
        self.names = tuple(names)
        self.right = self.found = self.true = 0

    def update(self, output: Tensor, target: Tensor) -> None:
        for found, true in zip(self.tags(output).tolist(), target.tolist(), strict=True):
            labeled = [place for place, tag in enumerate(true) if tag != UNLABELED]
            found_spans = set(spans_of([self.names[found[place]] for place in labeled]))
            true_spans = set(spans_of([self.names[true[place]] for place in labeled]))
            self.right += len(found_spans & true_spans)
            self.found += len(found_spans)
            self.true += len(true_spans)

    def merge(self, other: SpanF1) -> None:
        self.right += other.right
        self.found += other.found
        self.true += other.true

    def compute(self) -> float:
        return 2 * self.right / max(1, self.found + self.true)

    def __getstate__(self) -> tuple[int, int, int]:
        # Only the counts travel between ranks: a function need not be sendable.
        return self.right, self.found, self.true

    def __setstate__(self, state: tuple[int, int, int]) -> None:
        self.right, self.found, self.true = state


class SchemeFields(TaskConfig):
    """The fields of a task whose tags may mark names.

    Attributes:
        scheme: How tags mark names: ``iob1``, ``iob2``, ``bioes``, ``bmes`` or ``words``
            (:mod:`netsmith.layers.spans`); ``""``: they mark none.
        tags: The tags' names; with a scheme they are left to the data.
    """

    scheme: Scheme | Literal[""] = later("")
    tags: tuple[str, ...] | Auto = later(())

    @model_validator(mode="before")
    @classmethod
    def _leave_tags(cls, fields: Any) -> Any:
        asked = isinstance(fields, Mapping) and fields.get("scheme") and not fields.get("tags")
        return {**fields, "tags": AUTO} if asked else fields


def spans_found(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the spans of a sentence as a prediction tells them: kind, first token, the one after the last."""
    return [span._asdict() for span in spans_of(labels)]


def span_metric(tags: Callable[[Tensor], Tensor], config: SchemeFields) -> dict[str, Metric]:
    """Return the figure ``f1`` of tags in a scheme; nothing where there is none.

    Args:
        tags: Returns the tags for a network's output.
        config: Of the task: the scheme and the tags' names.

    Raises:
        ConfigError: Names that are not known, or not of the scheme.
    """
    if not config.scheme:
        return {}
    if not config.tags:
        raise ConfigError(f"scheme={config.scheme!r} needs the names of the tags, and the data have none; leave it out")
    wrong = [name for name in config.tags if not is_tag(name, config.scheme)]
    if wrong:
        shown = shorten(", ".join(map(repr, wrong)), 60)
        other = next((one for one in SCHEMES if all(is_tag(name, one) for name in config.tags)), "")
        how = (
            f"--set method.task.scheme={other}; or, of a file in columns, --set data.written={config.scheme}"
            if other
            else "--set method.task.scheme= --set select=dev/accuracy, as they mark no names"
        )
        raise ConfigError(f"scheme={config.scheme!r}: {shown} of the data is not of it; {how}")
    return {"f1": SpanF1(tags, config.tags)}
