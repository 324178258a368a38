"""Chinese text by a dictionary: words, parts of speech, and where the dictionary comes from. No torch."""

from netsmith.models.chinese._blocks import last_end, pieces
from netsmith.models.chinese._from_corpus import CorpusCounts, marked_words
from netsmith.models.chinese._jieba_files import jieba_folder, jieba_place_table, jieba_tag_table
from netsmith.models.chinese._place_hmm import PlaceHmm
from netsmith.models.chinese._prefix_dictionary import PrefixDictionary, decoded
from netsmith.models.chinese._segmenter import Mode, Segmenter, Token
from netsmith.models.chinese._tables import IMPOSSIBLE, HmmTable
from netsmith.models.chinese._tag_hmm import TaggedWord, TagHmm
from netsmith.models.chinese._word_dag import best_route, word_dag

__all__ = [
    "IMPOSSIBLE",
    "CorpusCounts",
    "HmmTable",
    "Mode",
    "PlaceHmm",
    "PrefixDictionary",
    "Segmenter",
    "TagHmm",
    "TaggedWord",
    "Token",
    "best_route",
    "decoded",
    "jieba_folder",
    "jieba_place_table",
    "jieba_tag_table",
    "last_end",
    "marked_words",
    "pieces",
    "word_dag",
]
