"""What goes in and what comes out of a network: the schema that a run keeps, torch-free and JSON.

``source.spec`` is fitted on the training split only. A run saves it as ``schema.json``; predict, explain, export, serve
and compress need nothing else of the data.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import Any, Literal

from pydantic import Field, model_validator

from netsmith.core.config import Config, later

__all__ = ["InputKind", "Inputs", "OutputKind", "Outputs", "Spec", "Split", "Step", "TokenFeature"]

InputKind = Literal["image", "text", "tokens", "table", "series", "audio", "graph", "set", "state", "none"]
OutputKind = Literal["classes", "tags", "tokens", "values", "ranking", "embedding", "samples", "policy", "none"]

_MARK = re.compile(r"<\w+>")


class Step(Config):
    """One named preprocessing step, in the order they are applied.

    Attributes:
        name: ``scale`` (``(x - low) / (high - low)``), ``normalize`` (``(x - mean) / std`` per channel or column),
            ``resize`` (to ``size``; see ``shorter``), ``gray``, ``unit_sum`` (the numbers of a graph's node divided by
            their sum), ``tokenize`` (``pattern``, ``lowercase``), ``standard_normal`` (inputs are drawn, not given).
        mean: Means per channel or column.
        std: Standard deviations per channel or column.
        low: The raw value that becomes 0.
        high: The raw value that becomes 1.
        size: Height and width in pixels.
        shorter: What the shorter side is brought to before the middle of ``size`` is cut out; 0 squashes the whole.
        pattern: Regular expression of one token.
        lowercase: Whether text is lower-cased first.
        negations: Words after which each token up to the next punctuation gets the mark ``NOT_``; a contraction is one
            by its ending (``n't`` stands for ``isn't`` too).
        digits: What each digit of a token becomes; empty leaves them.
        copies: Whether a token that the vocabulary does not know has a number of its own in each text: the vocabulary's
            size and the place where it first stands, counted from 0. An answer may then name it.
        merges: Byte-pair merges in order, each two parts with a blank between: ``pattern`` then cuts the text, its
            blanks marked, into pieces, and merges make tokens of their signs. None: what the pattern cuts is a token.
        stem: Whether English plurals become singulars.
        letters: Into letter n-grams of how many letters each token is cut; 0 leaves it whole.
    """

    name: Literal["scale", "normalize", "resize", "gray", "unit_sum", "tokenize", "standard_normal"]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0
    size: tuple[int, ...] = ()
    shorter: int = later(0, ge=0)
    pattern: str = ""
    lowercase: bool = False
    negations: tuple[str, ...] = later(())
    digits: str = later("")
    merges: tuple[str, ...] = later(())
    copies: bool = later(False)
    stem: bool = later(False)
    letters: int = later(0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Step:
        if self.name == "normalize" and (len(self.mean) != len(self.std) or not self.mean or min(self.std) <= 0):
            raise ValueError("normalize needs as many means as standard deviations, all deviations positive")
        if self.shorter and (self.name != "resize" or len(self.size) != 2 or self.shorter < max(self.size)):
            raise ValueError("shorter is for resize, and at least the height and the width that are cut out")
        for what in ("negations", "digits", "merges", "copies", "stem", "letters"):
            if getattr(self, what) and self.name != "tokenize":
                raise ValueError(f"{what} {'is' if what == 'stem' else 'are'} for tokenize")
        if self.merges and (self.negations or self.digits or self.stem):
            raise ValueError("merges make parts of words; negations, digits and stem are for whole ones")
        if self.name == "scale" and self.high <= self.low:
            raise ValueError("scale needs low < high")
        return self


class TokenFeature(Config):
    """What is said of each token of a text beside the token: a part of speech, the kind of a name.

    Its number is the place among ``values``, from 1; 0 where it is none of them. It is given with the token, as it
    stood in a column of the training files, or looked up: then ``tokens`` says which tokens have which value.

    Attributes:
        name: Its name.
        values: The values that training has, in order.
        column: In which column of the training files it stands, from 1; 0 where it is looked up.
        tokens: For each value the tokens that have it, where it is looked up.
    """

    name: str
    values: tuple[str, ...]
    column: int = Field(default=0, ge=0)
    tokens: tuple[tuple[str, ...], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> TokenFeature:
        if self.column == 1 or len(self.tokens) != (0 if self.column else len(self.values)):
            raise ValueError(
                f"{self.name}: expected a column from 2, or the tokens of each of {len(self.values)} values"
            )
        return self


class Inputs(Config):
    """What a network takes.

    Attributes:
        kind: What an example is.
        shape: Shape of one example without the batch axis, as the network sees it; ``-1`` for a free axis. Of a graph
            it is that of its nodes: ``(-1, F)``; of a set that of its rows, without the mark that a row is there.
        dtype: Type of the array a user hands in, before preprocessing (``uint8`` for an image).
        low: Smallest raw value.
        high: Largest raw value.
        columns: Names of a table's columns, in order.
        categories: For each column of text in a table, its values in order; an empty tuple for a column of numbers.
        preprocessing: Steps from the raw array to what the network sees.
        vocabulary: Words or characters by index (``""`` none); index 0 is padding, 1 unknown.
        max_length: Longest sequence, in tokens; the most nodes of a graph in training; 0 where neither applies.
        edges: The most edges of a graph in training; 0 where it does not apply.
        rate: Samples of a sound per second; 0 where it does not apply.
        counts: How often each word of the vocabulary stands in training, where a learner must know it.
        features: What is said of each token of a text beside it. Examples then have the shape ``(L, 1 + F)``: the
            tokens' numbers in the first place, those of the features behind.
    """

    kind: InputKind
    shape: tuple[int, ...]
    dtype: Literal["uint8", "int64", "float32", "float64"] = "float32"
    low: float | None = None
    high: float | None = None
    columns: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    preprocessing: tuple[Step, ...] = ()
    vocabulary: tuple[str, ...] = ()
    max_length: int = 0
    edges: int = 0
    rate: int = later(0)
    counts: tuple[int, ...] = later(())
    features: tuple[TokenFeature, ...] = later(())

    @property
    def candidates(self) -> bool:
        """Whether an example is a query and the texts to rank for it."""
        return self.kind == "text" and len(self.shape) > 1 and not self.features


class Outputs(Config):
    """What a network answers.

    Attributes:
        kind: What an answer is.
        names: Labels, tags, actions or names of values, in order.
        size: Number of outputs; ``len(names)`` where there are names.
        units: Unit of each value, where there is one.
        steps: How a written text becomes the tokens of the answer; see :func:`netsmith.layers.tokenize.detokenize`.
        rhymes: Of each character its class of rhyme, from 1, and 0 of one without, where a source knows them.
        longest: The most tokens of an answer, its end included, where a source knows it; else 0.
    """

    kind: OutputKind
    names: tuple[str, ...] = ()
    size: int = 0
    units: tuple[str, ...] = ()
    steps: tuple[Step, ...] = later(())
    rhymes: tuple[int, ...] = later(())
    longest: int = later(0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Outputs:
        if self.names and self.size and self.size != len(self.names):
            raise ValueError(f"size {self.size} contradicts {len(self.names)} names")
        if self.names and len(set(self.names)) != len(self.names):
            raise ValueError("names must differ from each other")
        if self.steps and (self.kind != "tokens" or any(step.name != "tokenize" for step in self.steps)):
            raise ValueError("steps are for answers of kind tokens, and each is named tokenize")
        return self


class Split(Config):
    """One part of the data.

    Attributes:
        name: ``train``, ``dev`` or ``test``.
        size: Number of examples; 0 for a live source.
        made: How it was made: ``official``, or for example ``seeded 10 % of train``.
        seed: The seed of a drawn split.
        sha256: Hash of the examples' indices and labels (or of the file they come from).
    """

    name: str
    size: int
    made: str = "official"
    seed: int = 0
    sha256: str = ""


class Spec(Config):
    """The schema of a run (``schema.json``).

    Attributes:
        format: Version of this file's form.
        inputs: What goes in.
        outputs: What comes out.
        splits: How the data is divided.
        dataset: Name of the data set.
    """

    format: Literal[1] = 1
    dataset: str
    inputs: Inputs
    outputs: Outputs
    splits: tuple[Split, ...] = ()

    def split(self, name: str) -> Split | None:
        """Return the split of that name, or None."""
        return next((split for split in self.splits if split.name == name), None)

    def facts(self) -> dict[str, Any]:
        """Return what the data decides, by the name of the config field that may be left ``AUTO``."""
        shape = self.inputs.shape
        facts: dict[str, Any] = {"num_outputs": self.outputs.size or len(self.outputs.names)}
        if self.outputs.kind in ("classes", "tags", "policy"):
            facts["num_classes"] = len(self.outputs.names) or self.outputs.size
        if self.outputs.kind == "tags":
            facts["tags"] = self.outputs.names
        if self.inputs.kind == "image":  # a free axis decides nothing
            facts |= {name: size for name, size in (("in_channels", shape[0]), ("image_size", shape[-1])) if size > 0}
        if self.inputs.vocabulary:
            facts |= {"vocab_size": len(self.inputs.vocabulary), "max_length": self.inputs.max_length}
            marks = itertools.takewhile(_MARK.fullmatch, self.inputs.vocabulary[4:])  # dialogues: <turn>, <joy>, ...
            if self.inputs.vocabulary[3:4] == ("<turn>",):
                facts["emotions"] = len(list(marks))
        if self.inputs.features:
            facts["feature_sizes"] = tuple(len(feature.values) for feature in self.inputs.features)
        if self.inputs.kind in ("graph", "set"):
            facts["in_features"] = shape[-1]
        elif all(size > 0 for size in shape):
            facts["in_features"] = math.prod(shape)
        return facts
