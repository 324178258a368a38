"""WikiText-2: two million words of good Wikipedia articles, with case, numbers and punctuation.

Merity, Xiong, Bradbury, Socher, "Pointer Sentinel Mixture Models", ICLR 2017 (arXiv:1609.07843).
"""

from __future__ import annotations

from netsmith.core.spec import Step
from netsmith.data._download import OfficialFile
from netsmith.data._streams import StreamFields, StreamSource, split_words

__all__ = ["Wikitext2"]

_FILES = {
    "train": OfficialFile(
        "wiki.train.tokens",
        10797148,
        "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        there="train.txt",
    ),
    "dev": OfficialFile(
        "wiki.valid.tokens",
        1121681,
        "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        there="valid.txt",
    ),
    "test": OfficialFile(
        "wiki.test.tokens",
        1256449,
        "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        there="test.txt",
    ),
}
_MIRRORS = ("https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2",)


class Wikitext2(StreamSource):
    """Twice the size of the Penn Treebank and nearer to text as it is written: 33,278 different tokens.

    Words that come less than three times are ``<unk>``; ``<eos>`` ends a line, empty lines too. The official parts have
    2,088,628 tokens for training, 217,646 for dev, 245,569 for test.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(StreamFields):
        """The official files, from ``$NETSMITH_DATA/wikitext-2``, the cache, or the network."""

    def __init__(self, config: Config) -> None:
        words = split_words("wikitext-2", _FILES, mirrors=_MIRRORS, twin="wikitext2" if config.twin else "")
        super().__init__(config, dataset="wikitext-2", tokens=words, step=Step(name="tokenize", pattern=r"\S+"))
