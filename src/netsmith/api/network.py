"""A trained network with its schema: what predict, explain, export and serve work on."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from netsmith.api.addressing import addressed, cut_whole, unknown_shares
from netsmith.api.encode import Missing, encode
from netsmith.api.raw import Raw, as_batches, count, free_axes, parse_graphs, random_graphs, token_counts
from netsmith.api.tagged_texts import joined, pieces_of, texts_of
from netsmith.core.errors import DataError, NetsmithError, ProofError, UnsupportedError, first_line, shorten
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import Inputs, Spec
from netsmith.engine.random import example_keys, keyed_normal
from netsmith.engine.task import Task
from netsmith.layers.copying import filled
from netsmith.layers.graphs import pad_graphs
from netsmith.layers.preprocess import Preprocess
from netsmith.layers.reading import Reading
from netsmith.layers.token_features import tokens_in
from netsmith.layers.tokenize import cutter
from netsmith.layers.writing import Writing
from netsmith.measure.example import tensors

if TYPE_CHECKING:
    from netsmith.api.run import Run
    from netsmith.compress.cut_file import Log

__all__ = ["Network", "Shipped"]

_PICTURES = 256
_LINES = 64
_MOST_NATS = 700.0  # e to it is nearly the largest number there is
_ROUNDED = 0.05  # relative error that roundings of an int8 network may add up to


class Shipped(nn.Module):
    """Preprocessing and network in one graph: raw arrays in, the network's output out."""

    def __init__(self, network: nn.Module, inputs: Inputs) -> None:
        super().__init__()
        self.preprocess = Preprocess(inputs)
        self.network = network

    def forward(self, inputs: Any) -> Any:
        """Return the network's output for a raw batch."""
        return self.network(self.preprocess(inputs))


class Network:
    """A network, its schema, and the meaning of its answers.

    Args:
        module: The network; takes preprocessed inputs.
        spec: Its schema.
        task: What its answers mean, or None for plain values.
        name: A name for files and pages.
        missing: What an empty number in a table becomes: it is refused, or takes the training mean.
        notice: Where one line goes for each kind of change that pictures' files need (their size, their colors).
        logs: What was cut from the module or made thin (:meth:`compress`), in that order.

    Attributes:
        shipped: Preprocessing and network in one module, in evaluation mode: what is exported and served.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: Spec,
        *,
        task: Task | None = None,
        name: str = "network",
        missing: Missing = "refuse",
        notice: Callable[[str], None] = print,
        logs: Sequence[Log] = (),
    ) -> None:
        module.eval()
        self.module = module
        self.spec = spec
        self.task = task
        self.name = name
        self.notice = notice
        self._told: set[str] = set()
        self.missing: Missing = missing
        self.logs = tuple(logs)
        self.shipped = Shipped(self.module, spec.inputs).eval()

    def landmarks(self) -> dict[str, str]:
        """Return the module names of stem, features and head, as the model declares them; ``{}`` if it does not."""
        declare = getattr(self.module, "landmarks", None)
        return dict(declare()) if callable(declare) else {}

    def __repr__(self) -> str:
        inputs, outputs = self.spec.inputs, self.spec.outputs
        shape = " x ".join("any" if size == -1 else str(size) for size in inputs.shape)
        weights = sum(parameter.numel() for parameter in self.module.parameters())
        return f"Network({self.name}: {inputs.kind} {shape} -> {outputs.size} {outputs.kind}, {weights:,} parameters)"

    @property
    def writes_texts(self) -> bool:
        """Whether it writes a text for a text, by whatever search."""
        inputs, outputs = self.spec.inputs, self.spec.outputs
        whole = isinstance(self.module, Writing) or (outputs.kind == "tokens" and bool(outputs.steps))
        return inputs.kind == "text" and len(inputs.shape) == 1 and whole and self.task is not None

    def example(self, batch: int = 1, *, seed: int = 0) -> Any:
        """Return a random raw batch of the schema's shape and range: for tracing, measuring and proofs."""
        inputs = self.spec.inputs
        shape = tuple(8 if size == -1 else size for size in inputs.shape)
        generator = torch.Generator().manual_seed(seed)
        if inputs.kind == "none":
            return self.noise(batch, seed=seed)
        if inputs.kind == "graph":
            return random_graphs(inputs, batch, generator=generator)
        if inputs.kind in ("text", "tokens"):
            numbers = torch.randint(1, max(2, len(inputs.vocabulary)), (batch, *shape), generator=generator)
            for place, feature in enumerate(inputs.features, start=1):
                numbers[..., place] = 1 + numbers[..., place] % max(1, len(feature.values))
            return numbers
        if inputs.kind == "table" and inputs.columns:
            columns = []
            for position in range(len(inputs.columns)):
                values = inputs.categories[position] if inputs.categories else ()
                if values:
                    columns.append(torch.randint(0, len(values), (batch,), generator=generator).float())
                else:
                    columns.append(torch.randn(batch, generator=generator))
            return torch.stack(columns, dim=1)
        low = inputs.low if inputs.low is not None else -1.0
        high = inputs.high if inputs.high is not None else 1.0
        return torch.rand(batch, *shape, generator=generator) * (high - low) + low

    def module_example(self, batch: int = 1) -> Any:
        """Return :meth:`example` as the module itself takes it, preprocessed: for what looks at the module alone."""
        return self.shipped.preprocess(self.example(batch))

    def noise(self, count: int, *, seed: int) -> Tensor:
        """Return the latent inputs that ``seed`` stands for, where a network takes noise."""
        keys = example_keys(seed, torch.arange(count))
        return keyed_normal(keys, *self.spec.inputs.shape, stream="latent").float()

    @property
    def cuts_texts(self) -> bool:
        """Whether it reads a text's beginning alone: longer ones are not refused, read on, or answered in pieces."""
        return not (self.writes_texts or self.spec.outputs.kind == "tags" or isinstance(self.module, Reading))

    def encode(self, values: Any) -> Any:
        """Return the raw batch for some values; see :func:`netsmith.api.encode.encode`.

        Raises:
            DataError: The values do not fit the schema; or a text is longer than what a network that writes one reads.
            ConfigError: A text that does not say which of the network's languages is to be written.
            UnknownNameError: One asks for a language that the network was not taught to write.
        """
        if self.writes_texts:
            cut_whole(self, addressed(self, texts_of(values)))
        return encode(values, self.spec.inputs, missing=self.missing, told=self._tell)

    def _tell(self, change: str, name: str) -> None:
        if change not in self._told:
            self._told.add(change)
            self.notice(f"{shorten(name, 100)} is {change} (told once for all such pictures)")

    def __call__(self, raw: Raw, *, batch: int = 256) -> Tensor:
        """Return the outputs for a raw batch.

        Raises:
            DataError: The batch is empty.
            NetsmithError: The network fails; its error is the cause.
        """
        if not count(raw):
            raise DataError("nothing to predict: the batch is empty")
        try:
            with torch.no_grad():
                return torch.cat([self.shipped(piece) for piece in as_batches(raw, batch)])
        except NetsmithError:
            raise
        except Exception as error:  # a module may be anyone's
            shapes = " and ".join(str(tuple(part.shape)) for part in tensors(raw))
            raise NetsmithError(f"{self.name} fails on inputs of shape {shapes}: {first_line(error)}") from error

    def predict(self, values: Any) -> list[dict[str, Any]]:
        """Return one readable prediction per example.

        Args:
            values: What :meth:`encode` takes, or a raw batch (of graphs: each is answered with its padding).

        Raises:
            DataError: The values do not fit the schema.
        """
        pictures = self.spec.inputs.kind == "image" and isinstance(values, list) and len(values) > _PICTURES
        if pictures and isinstance(values[0], (str, Path, bytes)):  # decoded a few at a time
            parts = [values[start : start + _PICTURES] for start in range(0, len(values), _PICTURES)]
            return [prediction for part in parts for prediction in self.predict(part)]
        if self.spec.inputs.kind == "graph" and isinstance(values, (list, tuple)):  # each alone: padding is no node
            graphs = [pad_graphs([graph]) for graph in parse_graphs(values, self.spec.inputs)]
            return [prediction for graph in graphs for prediction in self.decode(self(graph))]
        if self.spec.inputs.kind == "set" and isinstance(values, (list, tuple)) and _ragged(values):  # each alone, too
            return [prediction for one in values for prediction in self.answers(self.encode([one]))]
        texts = texts_of(values) if self.spec.outputs.kind == "tags" and self.spec.inputs.kind == "text" else []
        if texts:
            whole = [pieces_of(text, self.spec.inputs, number=number) for number, text in enumerate(texts, start=1)]
            raw = self.encode([piece.text for pieces in whole for piece in pieces])
            found = iter([one for part in as_batches(raw, _LINES) for one in self.answers(part)])
            return [joined(pieces, [next(found) for _ in pieces]) for pieces in whole]
        if isinstance(self.module, Reading) and isinstance(values, (list, tuple)):  # short and long lines apart
            parts = [values[at : at + _LINES] for at in range(0, len(values), _LINES)] or [values]
            return [prediction for part in parts for prediction in self.answers(self.encode(part))]
        return self.named(self.answers(self.encode(values)), values)

    def named(self, predictions: list[dict[str, Any]], values: Any) -> list[dict[str, Any]]:
        """Return predictions for texts with the words of those texts that they copy."""
        step = next((step for step in self.spec.outputs.steps if step.copies), None)
        texts = [] if step is None else texts_of(values)
        if step is None or not texts:
            return predictions
        cut = cutter(step)
        return [filled(one, cut(text), step) for one, text in zip(predictions, texts, strict=True)]

    def answers(self, raw: Raw, *, batch: int = 256) -> list[dict[str, Any]]:
        """Return one readable prediction per example of a raw batch; of a language model how likely each text is, too.

        Of a network that writes a text for a text also ``unknown``: the share of what it read that it does not know.
        Of a tagger's padding, zeros at the end of a row of tokens by their vocabulary, nothing is said.

        Raises:
            DataError: The batch is empty.
            NetsmithError: The network fails; its error is the cause.
        """
        if not isinstance(self.module, Reading):
            predictions = self.decode(self(raw, batch=batch))
            if self.writes_texts and isinstance(raw, Tensor):
                shares = unknown_shares(raw, self.spec.inputs.vocabulary)
                return [{**one, "unknown": share} for one, share in zip(predictions, shares, strict=True)]
            if self.task is None or self.spec.outputs.kind != "tags" or not self.spec.inputs.vocabulary:
                return predictions
            return self.task.unpadded(predictions, token_counts(tokens_in(raw, self.spec.inputs)))
        found: list[dict[str, Any]] = []
        for piece in as_batches(raw, _LINES):
            with torch.no_grad():
                read = self.module.read(piece)
            means = (read.nats / read.tokens).tolist()
            for mean, tokens, then in zip(
                means, read.tokens.tolist(), self.decode(read.following[:, None]), strict=True
            ):
                perplexity = math.exp(mean) if mean < _MOST_NATS else None
                found.append({"perplexity": perplexity, "tokens": tokens, **then})
        return found

    def sample(self, count: int = 1, *, seed: int = 0) -> list[dict[str, Any]]:
        """Return samples of a generator; the same seed gives the same ones.

        Raises:
            UnsupportedError: The network takes inputs; see :meth:`predict`.
        """
        if self.spec.inputs.kind != "none":
            raise UnsupportedError(f"{self.name} takes {self.spec.inputs.kind} inputs; only a generator draws samples")
        return self.decode(self(self.noise(count, seed=seed)))

    def decode(self, output: Tensor) -> list[dict[str, Any]]:
        """Return readable predictions for outputs, wherever they were computed."""
        if self.task is None:
            return [{"values": row} for row in output.reshape(len(output), -1).tolist()]
        if self.scores:
            return self.task.decode_scores(output, self.spec.outputs, kind=self.scores)
        return self.task.decode(output, self.spec.outputs)

    @property
    def scores(self) -> str:
        """Return what the model's numbers for classes are where they are no logits of probabilities, else ``""``."""
        config = getattr(self.module, "config", None)
        return config.scores if isinstance(config, ModelConfig) else ""

    def sureness(self, logits: Tensor) -> str:
        """Return how sure the answer to one example is, ``(K,)``: its probability, or its score with its name."""
        return f"{self.scores}: {float(logits.max()):.4g}" if self.scores else f"{float(logits.softmax(0).max()):.0%}"

    @property
    def class_axis(self) -> int:
        """Return where the classes are among the axes of the answers; the last where there is no task."""
        return -1 if self.task is None else self.task.class_axis

    def export(self, path: str | Path, *, exporter: Literal["auto", "fast", "dynamo", "torchscript"] = "auto") -> Any:
        """Export preprocessing and network to one ONNX file, with a parity proof under ONNX Runtime.

        A network that was trained with fake quantization becomes an int8 file. One that writes texts becomes a file
        that takes the likeliest token each time, however many beams its own search has.

        Args:
            path: The file.
            exporter: torch's exporter; ``auto`` takes dynamo's, and the older one where it fails; ``fast`` the older
                one first.

        Raises:
            ProofError: The exported graph does not give the same answers.
        """
        from netsmith.compress.fake_quantize import frozen, is_fake
        from netsmith.compress.folded import fold_int8
        from netsmith.export.onnx import export_onnx
        from netsmith.workflows.int8 import as_fed

        path = Path(path)
        free = free_axes(self.spec.inputs)
        if isinstance(self.module, Writing):
            shipped = Shipped(self.module.greedy(), self.spec.inputs).eval()
            first = "fast" if exporter == "auto" else exporter  # so many steps take dynamo's many minutes
            return export_onnx(shipped, self.example(2), path, exporter=first, free=free)
        if not is_fake(self.module):
            return export_onnx(self.shipped, self.example(2), path, exporter=exporter, free=free)
        if exporter == "dynamo":
            raise UnsupportedError("torch.export has no kernel for fake quantization; leave exporter at auto")
        draft = path.with_suffix(".draft.onnx")
        try:  # a sum that falls between two steps may be rounded to either
            report = export_onnx(
                frozen(self.shipped), self.example(2), draft, exporter="torchscript", tolerance=_ROUNDED, free=free
            )
            folded = fold_int8(draft, path, [as_fed(self.example(8))], class_axis=self.class_axis)
        finally:
            draft.unlink(missing_ok=True)
        if not folded.error <= _ROUNDED:
            path.unlink()
            raise ProofError(f"with weights stored in int8 the answers differ by {folded.error:.1e}, not {_ROUNDED:g}")
        return replace(report, file=path.name, bytes=folded.bytes, int8=folded.to_json())

    def compress(self, *, prune: float = 0.5, low_rank: float = 0.0, **how: Any) -> Network:
        """Return a smaller copy with a share of its channels cut; the surgery is proven equal to the masked original.

        Accuracy falls until the copy is fine-tuned; with data, compress a run (it is fine-tuned, distilled, quantized).
        The copy holds the logs of what was done to it, and :meth:`save` keeps it.

        Args:
            prune: Share of the channels to cut, 0..1; 0 cuts none.
            low_rank: Share of the parameters (of what was left of them) that may stay where layers become products of
                thin ones; 0 leaves that out.
            **how: Of :func:`netsmith.compress.prune.prune`: ``criterion``, ``scope``, ``protect``, ...

        Raises:
            UnsupportedError: Nothing can be cut, or an operation is not known; or ``how`` without a channel to cut.
            ProofError: The cut network does not answer as the masked one.
        """
        from netsmith.compress.factorize import factorize
        from netsmith.compress.prune import kept_by_code
        from netsmith.compress.prune import prune as cut

        if not (prune or low_rank):
            raise UnsupportedError("prune=0 and low_rank=0 leave the network as it is; give one of them")
        module, name, logs = self.module, self.name, self.logs
        if not 0 <= low_rank < 1:
            raise UnsupportedError(f"low_rank must be in [0, 1), got {low_rank:g}")
        settings = set(inspect.signature(cut).parameters) - {"module", "example", "ratio"}
        if wrong := set(how) - settings:
            raise TypeError(f"compress() knows no setting {', '.join(sorted(wrong))}")
        if how and not prune:
            raise UnsupportedError(f"{', '.join(how)}: says how channels are cut, and prune=0 cuts none")
        if prune:
            module, surgery = cut(module, self.module_example(2), ratio=prune, **how)
            if kept := kept_by_code(surgery):
                self.notice(kept)
            name, logs = f"{name}-pruned", (*logs, surgery)
        if low_rank:
            module, factors = factorize(module, budget=low_rank)
            name, logs = f"{name}-low-rank", (*logs, factors)
        return self._with(module, name, logs)

    def save(self, folder: str | Path) -> Path:
        """Keep the weights and the logs of what :meth:`compress` did: safetensors, JSON and their hashes.

        Args:
            folder: Where they go.

        Returns:
            The folder of the checkpoint within.

        Raises:
            UnsupportedError: The module's state holds more than tensors.
            RunError: The disk is full or not writable.
        """
        from netsmith.compress.cut_file import save_cut

        return save_cut(folder, self.module, self.logs)

    def load(self, folder: str | Path) -> Network:
        """Return what :meth:`save` kept, built from a network like the one that was compressed; that is not touched.

        Nothing in the folder is executed: the class is this network's, the log holds positions and numbers only.

        Args:
            folder: As it was given to :meth:`save`.

        Raises:
            CheckpointError: Nothing was saved there, a hash does not hold, or it does not fit this network.

        Example:
            >>> import tempfile, netsmith
            >>> def original():
            ...     module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
            ...     return netsmith.from_module(module, torch.zeros(1, 4), classes=("no", "yes"))
            >>> smaller = original().compress(prune=0.5)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     _ = smaller.save(folder)
            ...     again = original().load(folder)
            >>> again.predict([[1.0, 2.0, 3.0, 4.0]]) == smaller.predict([[1.0, 2.0, 3.0, 4.0]])
            True
        """
        from netsmith.compress.cut_file import load_cut

        module, logs = load_cut(folder, self.module)
        return self._with(module, self.name, (*self.logs, *logs))

    def _with(self, module: nn.Module, name: str, logs: Sequence[Log]) -> Network:
        """Return this network with another module in it."""
        return Network(
            module, self.spec, task=self.task, name=name, missing=self.missing, notice=self.notice, logs=logs
        )

    def explain(
        self,
        source: Any,
        folder: str | Path,
        *,
        method: str = "",
        count: int = 8,
        segments: str = "grid",
        generator: Run | None = None,
    ) -> Any:
        """Write pictures and a page that show why it decides as it does.

        Args:
            source: A file, or what :meth:`encode` takes.
            folder: Where the page and its pictures go.
            method: Names of methods with commas between, or ``all`` that fit; empty for the fast ones.
            count: How many examples.
            segments: Parts of an image that LIME and SHAP values switch off together: ``grid`` (7 x 7) or
                ``superpixels`` (SLIC: cut along its edges, about 50).
            generator: A run that learned to draw such pictures; prototypes are then also searched among what it can
                draw.

        Raises:
            UnsupportedError: It does not answer with classes, or its inputs have no such explanation.
            DataError: The values do not fit it.
        """
        from netsmith.workflows.explanation import explain_network

        return explain_network(self, source, folder, method=method, count=count, segments=segments, painter=generator)

    def serve(self, *, host: str = "127.0.0.1", port: int = 8000, allowed_hosts: Sequence[str] = ()) -> None:
        """Serve it over HTTP until interrupted; see :func:`netsmith.serve.server.serve`."""
        from netsmith.serve.server import serve

        serve(self, host=host, port=port, allowed_hosts=allowed_hosts)

    def measure(self) -> dict[str, Any]:
        """Return parameters, bytes, multiply-adds and this machine's median latency in PyTorch (batch 1).

        Raises:
            UnsupportedError: The module is scripted or traced: its operations cannot be counted.
        """
        from netsmith.measure.latency import latency_ms
        from netsmith.measure.macs import count_macs
        from netsmith.measure.parameters import count_stored

        scripted = next((child for child in self.module.modules() if isinstance(child, torch.jit.ScriptModule)), None)
        if scripted is not None:
            raise UnsupportedError(
                f"{self.name} holds a scripted module ({type(scripted).__name__}), whose operations cannot be counted; "
                "give the module it was made from"
            )
        example = self.example(1)

        def call() -> None:
            with torch.no_grad():
                self.shipped(example)

        return {
            "parameters": count_stored(self.module),
            "macs": count_macs(self.shipped, example),
            "latency_ms": latency_ms(call).median,
            "measured_at": time.strftime("%Y-%m-%d"),
        }


def _ragged(values: Sequence[Any]) -> bool:
    """Return whether examples are lists of different lengths."""
    return all(isinstance(value, (list, tuple)) for value in values) and len({len(value) for value in values}) > 1
