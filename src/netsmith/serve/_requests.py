"""From the bytes of a request to the raw batch of a network: everything a client may send is checked here."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, create_model
from torch import Tensor

from netsmith.api.encode import decode_image, picture_size
from netsmith.api.network import Network
from netsmith.api.raw import Raw
from netsmith.core.config import Config
from netsmith.core.errors import did_you_mean, shorten
from netsmith.core.spec import Inputs
from netsmith.data._sounds import read_sound
from netsmith.layers.token_features import written_form
from netsmith.serve._body import Refused
from netsmith.serve._examples import example_body

__all__ = ["Limits", "Requests"]

_CELL_LIMIT = 1_000
_EDGES = 16  # per node that a graph may have
_SEED_LIMIT = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly
_TAGS = ("picture", "plane", "sound", "channels")
_PICTURE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


class Limits(Config):
    """How much one request may hold.

    Attributes:
        body: Bytes of a body.
        batch: Examples of a request.
        pixels: Pixels of all encoded pictures of a request together, before they are resized.
        length: Longest free axis (a series, an image of any size, the nodes of a graph).
        text: Characters of one text.
    """

    body: Annotated[int, Field(gt=0)] = 8 * 2**20
    batch: Annotated[int, Field(gt=0)] = 256
    pixels: Annotated[int, Field(gt=0)] = 25_000_000
    length: Annotated[int, Field(gt=0)] = 4096
    text: Annotated[int, Field(gt=0)] = 20_000


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Requests:
    """What a network may be asked, made from its schema.

    Args:
        network: The network.
        limits: How much one request may hold.

    Attributes:
        models: One pydantic model per form of a body; a generator's noise has two.
        example: A body that fits.
    """

    def __init__(self, network: Network, limits: Limits) -> None:
        self._network = network
        self._inputs = network.spec.inputs
        self._limits = limits
        self._texts = self._inputs.kind == "text" and any(s.name == "tokenize" for s in self._inputs.preprocessing)
        self._rows = self._inputs.kind == "table" and bool(self._inputs.columns)
        one, self._alternatives = self._one()
        most = 1 if self._inputs.kind == "graph" else limits.batch  # beside a larger graph it would be padded
        many = Annotated[list[one], Field(min_length=1, max_length=most, fail_fast=True)]
        given = create_model("Request", __base__=_Strict, inputs=(many, Field(description=_describe(self._inputs))))
        self.models: tuple[type[BaseModel], ...] = (given,)
        if self._inputs.kind == "none":
            seed = Field(ge=0, le=_SEED_LIMIT, description="What is drawn: the same seed gives the same answers.")
            count = Field(default=1, ge=1, le=limits.batch, description="How many are drawn.")
            self.models = (create_model("Draw", __base__=_Strict, seed=(int, seed), count=(int, count)), given)
        self.example = example_body(self._inputs, texts=self._texts, files=self._alternatives)

    @property
    def open_ended(self) -> bool:
        """Whether the schema leaves something to the network alone: a free axis, tokens without a vocabulary."""
        tokens = self._inputs.kind in ("text", "tokens")
        return -1 in self._inputs.shape or (tokens and not self._inputs.vocabulary)

    def schema(self, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
        """Return the JSON schema of a body; shared parts stand in ``$defs``."""
        shared: dict[str, Any] = {}
        forms = [model.model_json_schema(ref_template=ref_template) for model in self.models]
        for form in forms:
            shared |= form.pop("$defs", {})
        found = forms[0] if len(forms) == 1 else {"anyOf": forms}
        return found | ({"$defs": shared} if shared else {})

    def encode(self, body: Any) -> Raw:
        """Return the raw batch that a parsed body stands for.

        Raises:
            Refused: It does not fit the schema; the place is named.
            DataError: A value that only the schema's own encoding can judge.
        """
        if not isinstance(body, dict):
            raise Refused(422, f"expected an object such as {{{self._keys()}}}, got {_shown(body)}")
        model = self.models[-1] if "inputs" in body else self.models[0]
        try:
            model.model_validate(body)
        except ValidationError as error:
            raise Refused(422, self._problem(error)) from None
        if "inputs" not in body:
            return self._network.noise(body.get("count", 1), seed=body["seed"])
        values = body["inputs"]
        if self._inputs.kind == "audio":
            return self._sounds(values)
        return self._images(values) if self._inputs.kind == "image" else self._network.encode(values)

    def _keys(self) -> str:
        return '"seed": 0, "count": 1' if self._inputs.kind == "none" else '"inputs": [...]'

    # -- the form of one example -----------------------------------------------------------------------------------

    def _one(self) -> tuple[Any, bool]:
        """Return the type of one example, and whether it is a choice of several."""
        inputs = self._inputs
        if self._rows:
            return self._row(), False
        if self._texts:
            text = Annotated[str, Field(min_length=1, max_length=self._limits.text)]
            if not inputs.candidates:
                return text, False
            many = Annotated[list[text], Field(min_length=1, max_length=self._limits.length, fail_fast=True)]
            return create_model("Candidates", __base__=_Strict, query=(text, ...), documents=(many, ...)), False
        if inputs.kind in ("text", "tokens"):
            most = int(inputs.high) if inputs.high is not None else 2**31 - 1
            most = min(most, len(inputs.vocabulary) - 1) if inputs.vocabulary else most
            return self._nested(inputs.shape, Annotated[int, Field(ge=max(0, int(inputs.low or 0)), le=most)]), False
        limited = inputs.kind in ("image", "audio")  # elsewhere the range is what training saw, not a limit
        number = Annotated[
            float,
            Field(allow_inf_nan=False, ge=inputs.low if limited else None, le=inputs.high if limited else None),
        ]
        whole = self._nested(inputs.shape, number)
        if inputs.kind == "graph":
            place = Annotated[int, Field(ge=0, lt=self._limits.length)]
            pairs = Annotated[list[self._nested((2,), place)], Field(max_length=_EDGES * self._limits.length)]
            note = "Pairs (from, to) of positions among the nodes; an edge without a direction stands twice."
            return create_model("Graph", __base__=_Strict, nodes=whole, edges=(pairs, Field(description=note))), False
        if inputs.kind == "audio" and len(inputs.shape) == 2 and inputs.shape[0] == 1 and inputs.rate:
            note = f"A WAV file of {inputs.rate} samples per second, in mono, in base64."
            sound = Annotated[str, Field(min_length=1, description=note), Tag("sound")]
            return Annotated[sound | Annotated[whole, Tag("channels")], Discriminator(_sound_form)], True
        if inputs.kind != "image" or len(inputs.shape) != 3 or inputs.shape[0] not in (1, 3):
            return whole, False
        note = "A PNG or JPEG file in base64."
        forms: list[Any] = [
            Annotated[str, Field(min_length=1, description=note), Tag("picture")],
            Annotated[whole, Tag("channels")],
        ]
        if inputs.shape[0] == 1:
            forms.append(Annotated[self._nested(inputs.shape[1:], number), Tag("plane")])
        union: Any = forms[0]
        for form in forms[1:]:
            union = union | form
        return Annotated[union, Discriminator(_image_form if inputs.shape[0] == 1 else _color_form)], True

    def _nested(self, shape: Sequence[int], item: Any) -> Any:
        for size in reversed(shape):
            least, most = (1, self._limits.length) if size == -1 else (size, size)
            item = Annotated[list[item], Field(min_length=least, max_length=most, fail_fast=True)]
        return item

    def _row(self) -> type[BaseModel]:
        """Return the model of a row; columns may have any name, so they are aliases."""
        inputs = self._inputs
        missing = self._network.missing == "mean"  # as the run was trained
        fields: dict[str, Any] = {}
        for position, name in enumerate(inputs.columns):
            texts = inputs.categories[position] if inputs.categories else ()
            kind: Any = Annotated[float, Field(allow_inf_nan=False)]
            note = "A number; null where it is missing." if missing else "A number."
            if texts:
                kind = Annotated[str, Field(max_length=_CELL_LIMIT)]
                kind = kind | None if "" in texts else kind  # training saw empty cells
                note = f"One of {len(texts)} texts that training saw; another one counts as none of them."
            elif missing:
                kind = kind | None
            examples = list(texts[:5]) or None
            fields[f"column_{position}"] = (kind, Field(alias=name, description=note, examples=examples))
        return create_model("Row", __base__=_Strict, **fields)

    # -- from a body that fits to the raw batch --------------------------------------------------------------------

    def _images(self, values: list[Any]) -> Tensor:
        left = self._limits.pixels
        images = []
        for position, value in enumerate(values):
            if not isinstance(value, str):
                images.append(self._network.encode([value])[0])
                continue
            name = f"inputs[{position}]"
            data = _from_base64(value, name)
            height, width = picture_size(data, name=name, formats=("PNG", "JPEG"))
            left -= height * width
            if left < 0:
                raise Refused(
                    422,
                    f"{name}: a picture of {width} x {height} pixels; expected at most {self._limits.pixels} "
                    "pixels in all pictures of a request together",
                )
            if -1 in self._inputs.shape and max(height, width) > self._limits.length:
                raise Refused(422, f"{name}: {width} x {height} pixels; expected at most {self._limits.length} a side")
            images.append(decode_image(data, self._inputs, name=name))
        shapes = {tuple(image.shape) for image in images}
        if len(shapes) > 1:
            first, second, *_ = sorted(shapes)
            raise Refused(422, f"inputs: images of {first} and {second}; expected one size in a request")
        return torch.stack(images)

    def _sounds(self, values: list[Any]) -> Tensor:
        sounds = []
        for position, value in enumerate(values):
            if isinstance(value, str):
                name = f"inputs[{position}]"
                sound = read_sound(_from_base64(value, name, (b"RIFF",), "a WAV file"), self._inputs, name=name)
            else:
                sound = self._network.encode([value])[0]
            if sound.shape[-1] > self._limits.length and -1 in self._inputs.shape:
                raise Refused(
                    422, f"inputs[{position}]: {sound.shape[-1]} samples; expected at most {self._limits.length}"
                )
            sounds.append(sound)
        lengths = sorted({sound.shape[-1] for sound in sounds})
        if len(lengths) > 1:
            raise Refused(422, f"inputs: sounds of {lengths[0]} and {lengths[1]} samples; expected one length")
        return torch.stack(sounds)

    # -- what is wrong, in one line --------------------------------------------------------------------------------

    def _problem(self, error: ValidationError) -> str:
        found = error.errors(include_url=False, include_context=True)
        first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
        path = [part for part in first["loc"] if not (self._alternatives and part in _TAGS)]
        kind, value, limits = first["type"], first["input"], first.get("ctx", {})
        if kind == "extra_forbidden":
            *before, name = path
            known = self._inputs.columns if before else ("inputs", "seed", "count")[: 3 if len(self.models) > 1 else 1]
            return f"{_place(before)}unknown key {shorten(str(name), 60)!r}{did_you_mean(str(name), known)}"
        if kind == "missing":
            *before, name = path
            near = did_you_mean(str(name), map(str, value)) if before and value else ""
            near = near or f"; expected {{{self._keys()}}}"
            return f"{_place(before)}the key {shorten(str(name), 60)!r} is missing{near}"
        if kind in ("too_short", "too_long"):
            least, most = limits.get("min_length"), limits.get("max_length")
            shape = self._inputs.shape[1:] if "plane" in first["loc"] else self._inputs.shape
            axis = len(path) - 2  # the path of a list of examples is ("inputs",)
            exact = shape[axis] if 0 <= axis < len(shape) else -1
            wanted = f"at least {least}" if kind == "too_short" else f"at most {most}"
            wanted = wanted if exact == -1 else str(exact)
            return f"{_place(path)}expected {wanted} items, got {len(value)}"
        wanted = _WANTED.get(kind) or first["msg"].removeprefix("Input should be ").removeprefix("a valid ")
        if kind.startswith("union_tag_"):
            form = "WAV file" if self._inputs.kind == "audio" else "picture"
            wanted = f"numbers of shape {self._inputs.shape}, or a {form} in base64"
        return f"{_place(path)}expected {wanted}, got {_shown(value)}"


_WANTED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text",
    "string_unicode": "Unicode text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _image_form(value: Any) -> str | None:
    if not isinstance(value, list):
        return "picture" if isinstance(value, str) else None
    inner = value[0] if value else None
    return "channels" if isinstance(inner, list) and inner and isinstance(inner[0], list) else "plane"


def _color_form(value: Any) -> str | None:
    return "picture" if isinstance(value, str) else "channels" if isinstance(value, list) else None


def _sound_form(value: Any) -> str | None:
    return "sound" if isinstance(value, str) else "channels" if isinstance(value, list) else None


def _from_base64(
    text: str, name: str, starts: tuple[bytes, ...] = _PICTURE_STARTS, what: str = "a PNG or JPEG file"
) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data.startswith(starts):
        raise Refused(422, f"{name}: expected the bytes of {what} in base64, got {_shown(text)} (no file is opened)")
    return data


def _place(path: Sequence[Any]) -> str:
    """Return ``inputs[0]['age']: `` for a path, nothing for an empty one."""
    if not path:
        return ""
    parts = [f"[{part}]" if isinstance(part, int) else f"[{shorten(part, 40)!r}]" for part in path[1:]]
    return f"{path[0]}{''.join(parts)}: "


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, str):
        return f"the text {json.dumps(shorten(value, 40))}"
    return shorten(json.dumps(value), 40)


def _describe(inputs: Inputs) -> str:
    shape = " x ".join("any" if size == -1 else str(size) for size in inputs.shape)
    form = written_form(inputs.features)
    given = f"; each token with its features, as {form} (the sign is U+FFE8)" if form else ""
    return f"Examples of kind {inputs.kind}" + (f", {shape}" if shape else "") + given
