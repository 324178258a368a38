"""ATIS requests and what they ask for, written out: the intent, then each slot with its words.

The requests are those of :mod:`netsmith.data.atis`; to write the meaning of a request, and copy the words of it that no
vocabulary knows, is after Jia & Liang 2016 (arXiv:1606.03622).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsmith.data._pairs import PairFields, Pairs, PairSource
from netsmith.data.atis import Request, atis_requests
from netsmith.layers.spans import spans_of

__all__ = ["AtisFrames", "written_frame"]


class AtisFrames(PairSource):
    """Write what a request asks for: ``atis_flight fromloc.city_name= st. paul toloc.city_name= omsk``.

    4,478 requests for training, 500 for dev, 893 for test. Slots stand in the order of the request; the words in a slot
    are the request's own, so that all of them can be copied, and many must be: names and numbers of which a vocabulary
    never has all. The names of intents and slots are always known, if training has them; with ``=`` behind it none is a
    word of a request.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(PairFields):
        """The official files, from ``$NETSMITH_DATA/atis``, the cache, or the network.

        Attributes:
            merges: None: tokens are words.
            shared: Requests and answers have one vocabulary.
            pattern: A token is what stands between blanks.
            max_length: The longest answer that can be judged.
        """

        merges: int = 0
        shared: bool = True
        pattern: str = r"\S+"
        max_length: int = 100

    def __init__(self, config: AtisFrames.Config) -> None:
        found = atis_requests(twin=config.twin)
        super().__init__(
            config,
            dataset="atis_frames",
            pairs={
                split: Pairs(
                    [" ".join(request.words) for request in of],
                    [written_frame(request) for request in of],
                    f"atis ({split})",
                    range(1, len(of) + 1),
                )
                for split, of in found.items()
            },
            marks=_names(found["train"]),
        )


def written_frame(request: Request) -> str:
    """Return what a request asks for as a text.

    Example:
        >>> slots = ("O", "B-fromloc.city_name", "I-fromloc.city_name")
        >>> written_frame(Request(("from", "st.", "paul"), slots, "atis_flight"))
        'atis_flight fromloc.city_name= st. paul'
    """
    return " ".join([request.intent, *_slots(request)])


def _names(requests: Sequence[Request]) -> list[str]:
    """Return the names of intents and slots, those that begin others behind them."""
    names = {request.intent for request in requests}
    names |= {f"{span.kind}=" for request in requests for span in spans_of(request.slots)}
    return sorted(names, key=lambda name: (-len(name), name))


def _slots(request: Request) -> Iterator[str]:
    for span in spans_of(request.slots):
        yield " ".join([f"{span.kind}=", *request.words[span.start : span.end]])
