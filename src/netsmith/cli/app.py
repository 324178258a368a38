"""The verbs and their options; each imports what it needs when it runs."""

from __future__ import annotations

import typer

from netsmith import __version__
from netsmith.cli import words
from netsmith.cli.options import CODE, JSON, ROOT, RUN, SET
from netsmith.cli.text import text_app

__all__ = ["app"]

app = typer.Typer(
    name="netsmith",
    help="Train, explain, compress, ship and verify neural networks: one engine, one catalogue, one command line.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Look at data before training on it.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")
app.add_typer(text_app, name="text")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netsmith {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


@app.command("list")
def list_(
    page: str = typer.Option("", "--page", help="Write charts of accuracy against cost to a page.", metavar="FILE"),
    json: bool = JSON,
) -> None:
    """List the recipes with the state of their evidence."""
    from netsmith.cli import catalogue

    catalogue.list_(as_json=json, page=page)


@app.command()
def show(
    name: str = typer.Argument(..., help="A recipe, a model or a run, for example resnet20_fashion_mnist."),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Show a recipe, model or run: layers, parameters, MACs, claims."""
    from netsmith.cli import catalogue

    catalogue.show(name, code=code, as_json=json)


@app.command("import")
def import_(
    network: str = typer.Argument(..., help="A network of the catalogue, for example resnet50."),
    weights: str = typer.Argument(..., help="A .safetensors file, or a .pth of tensors alone.", metavar="FILE"),
    classes: str = typer.Option("", "--classes", help="A text file: the name of a class per line.", metavar="FILE"),
    image_size: int = typer.Option(0, "--image-size", help="Pixels; the paper's by default.", min=0),
    mean: list[float] = typer.Option([], "--mean", help="Of a channel, in 0..1; ImageNet's by default. Repeatable."),
    std: list[float] = typer.Option([], "--std", help="Its standard deviation. Repeatable.", min=0),
    crop: float | None = typer.Option(
        None, "--crop", help="Share of a picture's shorter side that is seen, 0.875 at ImageNet; 0: all, squashed."
    ),
    name: str = typer.Option("", "--name", help="The run's name; the network's by default."),
    root: str = ROOT,
    set_: list[str] = SET,
) -> None:
    """Make a run of published weights."""
    from netsmith.cli import training

    settings = {"classes": classes, "image_size": image_size, "mean": mean, "std": std, "crop": crop}
    settings |= {"name": name, "root": root}
    training.import_weights(network, weights, sets=set_, settings=settings)


@app.command()
def train(
    experiment: str = typer.Argument(..., help="A recipe's name, a recipe file (.py), an experiment.json or a run."),
    set_: list[str] = SET,
    data: str = typer.Option(
        "", "--data", help="Your own data: a table, a text, a CoNLL file, a folder or an archive.", metavar="PATH"
    ),
    teacher: str = typer.Option("", "--teacher", help="A run that teaches (distillation recipes).", metavar="RUN"),
    from_: str = typer.Option("", "--from", help="A run whose network and weights it begins with.", metavar="RUN"),
    name: str = typer.Option("", "--name", help="The run's name; the recipe's by default."),
    root: str = ROOT,
    code: str = CODE,
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Print shapes, parameters, MACs, memory, ETA; train nothing."
    ),
    json: bool = JSON,
) -> None:
    """Train an experiment in a new run folder."""
    from netsmith.cli import training

    training.train(
        experiment,
        sets=set_,
        data=data,
        teacher=teacher,
        start=from_,
        name=name,
        root=root,
        code=code,
        dry_run=dry_run,
        as_json=json,
    )


@app.command()
def resume(run: str = RUN, code: str = CODE, json: bool = JSON) -> None:
    """Go on with a run that was cut, as if it had not been.

    It ends bit for bit as the uninterrupted run, on the same machine, torch and thread count.
    """
    from netsmith.cli import training

    training.resume(run, code=code, as_json=json)


@app.command()
def evaluate(
    run: str = RUN,
    split: str = typer.Option("test", "--split", help="train, dev or test."),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Evaluate a run on a split of its data."""
    from netsmith.cli import verbs

    verbs.evaluate(run, split=split, code=code, as_json=json)


@app.command()
def predict(
    run: str = RUN,
    source: str = typer.Argument("", help="A file, a folder of pictures, a table, or a text; - or nothing: stdin."),
    column: str = typer.Option("", "--column", help="The column of a table that holds the texts.", metavar="NAME"),
    encoding: str = typer.Option("utf-8", "--encoding", help="Of texts, for example cp1252 or gb18030."),
    seed: int = typer.Option(None, "--seed", help="The seed of a generator's noise; 0 by default.", min=0),
    count: int = typer.Option(None, "--count", help="How many samples a generator makes.", min=1, max=100_000),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Predict from a run folder alone; its data is not needed."""
    from netsmith.cli import verbs

    verbs.predict(run, source, column=column, encoding=encoding, seed=seed, count=count, code=code, as_json=json)


for _verb in (words.generate, words.translate, words.chat, words.similar, words.search):
    app.command()(_verb)


@app.command()
def explain(
    run: str = RUN,
    source: str = typer.Option("", "--input", help="A file to explain; examples of the test split by default."),
    method: str = typer.Option("", "--method", help="saliency, lime, probes, ... or all; else the fast ones."),
    count: int = typer.Option(8, "--count", help="How many examples.", min=1, max=64),
    segments: str = typer.Option("grid", "--segments", help="Parts of an image LIME and SHAP take: grid, superpixels."),
    generator: str = typer.Option("", "--generator", help="A run that draws such pictures: it draws prototypes, too."),
    code: str = CODE,
) -> None:
    """Show why a run decides as it does: pictures and a page."""
    from netsmith.cli import verbs

    verbs.explain(run, source=source, method=method, count=count, segments=segments, generator=generator, code=code)


@app.command()
def compress(
    run: str = RUN,
    prune: float | None = typer.Option(None, "--prune", help="Share of the channels to cut; 0.5.", min=0, max=0.95),
    criterion: str = typer.Option(
        "", "--criterion", help="What tells which go: l1, l2, geometric_median, bn_scale, taylor or random; l2."
    ),
    scope: str = typer.Option("", "--scope", help="How they are ranked: global, local or isomorphic; global."),
    iterations: int | None = typer.Option(None, "--iterations", help="Cuts with fine-tuning between them; 1.", min=1),
    protect: list[str] = typer.Option([], "--protect", help="A module whose channels stay; may be given again."),
    sensitivity: bool = typer.Option(False, "--sensitivity", help="Chart what each layer alone loses."),
    low_rank: float | None = typer.Option(
        None, "--low-rank", help="Share of the parameters that layers as products of thin ones may keep.", min=0, max=1
    ),
    train_int8: bool = typer.Option(False, "--train-int8", help="Also train a copy in int8 (fake quantization)."),
    student: str = typer.Option("", "--student", help="A recipe, a model kind, or width=0.5,depth=2 of its own."),
    epochs: int = typer.Option(
        0, "--epochs", help="Epochs of fine-tuning; a quarter of the run's, to a budget half.", min=0
    ),
    latency: str | None = typer.Option(
        None, "--latency", help="A budget: at most this median latency, for example 1.5ms."
    ),
    size: str | None = typer.Option(None, "--size", help="A budget: at most this file, for example 200kB."),
    speedup: float | None = typer.Option(None, "--speedup", help="A budget: this many times as fast."),
    max_drop: float | None = typer.Option(None, "--max-drop", help="Points of accuracy a budget may cost."),
    points: int | None = typer.Option(None, "--points", help="Networks to a budget; 8 by default.", min=1),
    controls: int | None = typer.Option(None, "--controls", help="Seeds of each control of a budget; 3.", min=0),
    set_: list[str] = SET,
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Make a run smaller and faster: prune, distil, quantize.

    Everything that comes out is measured under ONNX Runtime on this machine. With a budget, layers are narrowed until
    the measured network is within it, and simple controls are trained beside it.
    """
    from netsmith.cli import budget, verbs

    wanted = budget.parse(latency=latency, size=size, speedup=speedup)
    if wanted is None:
        budget.refuse({"--max-drop": max_drop, "--points": points, "--controls": controls}, with_budget=False)
        share = 0.5 if prune is None else prune
        ways = {"prune": share, "low_rank": low_rank or 0.0, "train_int8": train_int8, "student": student}
        ways |= {"criterion": criterion or "l2", "scope": scope or "global", "iterations": iterations or 1}
        ways |= {"sensitivity": sensitivity, "protect": protect}
        verbs.compress(run, ways=ways, epochs=epochs, sets=set_, code=code, as_json=json)
        return
    given: dict[str, object] = {"--criterion": criterion or None, "--scope": scope or None, "--iterations": iterations}
    given |= {
        "--sensitivity": sensitivity or None,
        "--protect": protect or None,
        "--prune": prune,
        "--low-rank": low_rank,
        "--train-int8": train_int8 or None,
    }
    given |= {"--student": student or None, "--set": set_ or None}
    budget.refuse(given, with_budget=True)
    settings = {"points": points, "controls": controls, "max_drop": budget.drop(max_drop)}
    budget.compress(run, wanted, settings=settings, epochs=epochs, code=code, as_json=json)


@app.command()
def export(
    run: str = RUN,
    output: str = typer.Option("", "--output", "-o", help="The ONNX file; RUN/export/model.onnx by default."),
    int8: bool = typer.Option(False, "--int8", help="Also quantize to int8 (calibrated on training data)."),
    calibration: str = typer.Option("minmax", "--calibration", help="Of int8: minmax, entropy, percentile or best."),
    max_drop: float | None = typer.Option(None, "--max-drop", help="Points that int8 may cost on dev.", min=0),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Export to ONNX, with a proof that it answers the same.

    The preprocessing is part of the file.
    """
    from netsmith.cli import verbs

    choices = {"int8": int8, "method": calibration, "max_drop": None if max_drop is None else max_drop / 100}
    verbs.export(run, output=output, choices=choices, code=code, as_json=json)


@app.command()
def serve(
    run: str = RUN,
    port: int = typer.Option(8000, "--port", min=0, max=65535),
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on."),
    allow_host: list[str] = typer.Option(
        [], "--allow-host", help="A name clients know this server by (a proxy's). Repeatable.", metavar="NAME"
    ),
    code: str = CODE,
) -> None:
    """Serve a run over HTTP; the schema comes from the run."""
    from netsmith.cli import verbs

    verbs.serve(run, host=host, port=port, allowed_hosts=allow_host, code=code)


@app.command()
def compare(
    runs: list[str] = typer.Argument(..., help="Run folders.", metavar="RUN..."),
    code: list[str] = typer.Option(
        [], "--code", help="Your recipe files that runs were made from. Repeatable.", metavar="FILE"
    ),
    page: str = typer.Option("", "--page", help="Also write a page with their learning curves.", metavar="FILE"),
    paired: str = typer.Option(
        "",
        "--paired",
        help="Test a figure (test/map, dev/accuracy) of the first run against each other one, over the same examples. "
        "Runs that differ in their seed alone count as one: their mean.",
        metavar="FIGURE",
    ),
    json: bool = JSON,
) -> None:
    """Compare runs: figures, sizes, curves; test a difference."""
    from netsmith.cli import verbs

    verbs.compare(runs, codes=code, page=page, paired=paired, as_json=json)


@app.command()
def similarity(
    run: str = RUN,
    other: str = typer.Argument("", help="Another run with the same inputs.", metavar="[RUN]"),
    matrix: list[str] = typer.Option(
        [], "--matrix", help="A CSV dissimilarity matrix, or a folder of them over time. Repeatable.", metavar="FILE"
    ),
    source: str = typer.Option("", "--input", help="Examples: of both runs, or the matrices' rows; else test data."),
    method: str = typer.Option("", "--method", help="spearman (for runs) or tau_a (for matrices)."),
    metric: str = typer.Option("correlation", "--metric", help="correlation, euclidean or cosine dissimilarity."),
    draws: int | None = typer.Option(
        None, "--draws", help="Permutations of a test (1000); over time, bootstrap samples (200).", min=20
    ),
    code: list[str] = typer.Option(
        [], "--code", help="Your recipe files that runs were made from. Repeatable.", metavar="FILE"
    ),
    json: bool = JSON,
) -> None:
    """Compare layers with a run or given matrices."""
    from netsmith.cli import similarity as verb

    verb.similarity(
        run,
        other,
        matrices=matrix,
        source=source,
        method=method,
        metric=metric,
        draws=draws,
        codes=code,
        as_json=json,
    )


@app.command()
def lab(
    name: str = typer.Argument(..., help="A lab, or list.", metavar="NAME"),
    set_: list[str] = SET,
    quick: bool = typer.Option(False, "--quick", help="Small settings, for a first look in seconds."),
    out: str = typer.Option("", "--out", help="Where it is written; runs/lab/NAME by default.", metavar="FOLDER"),
    json: bool = JSON,
) -> None:
    """Run a small experiment: figures, numbers, what they show.

    netsmith lab list names them all.
    """
    from netsmith.cli import labs

    labs.lab(name, sets=set_, quick=quick, out=out, as_json=json)


@app.command()
def report(run: str = RUN, code: str = CODE) -> None:
    """Write one self-contained report.html of a run."""
    from netsmith.cli import verbs

    verbs.report(run, code=code)


@app.command()
def verify(
    names: list[str] = typer.Argument(None, help="Recipes; none with --all.", metavar="[NAME]..."),
    all_: bool = typer.Option(False, "--all", help="Every recipe of the catalogue."),
    level: int = typer.Option(
        0, "--level", help="0 conforms, 2 learns on its twin, 3 reproduces its claims.", min=0, max=3
    ),
    full: bool = typer.Option(False, "--full", help="The full matrix of resumes in new processes."),
    seeds: str = typer.Option("", "--seeds", help="Seeds for level 3, for example 0,1,2."),
    root: str = typer.Option(
        "runs/verify", "--root", help="Where the runs of level 3 lie; finished ones are used again."
    ),
    json: bool = JSON,
) -> None:
    """Check recipes and write their evidence."""
    from netsmith.cli import verification

    verification.verify(names or [], everything=all_, level=level, full=full, seeds=seeds, root=root, as_json=json)


@data_app.command("check")
def data_check(
    path: str = typer.Argument(..., help="A table, a text, a CoNLL file, a folder or an archive."),
    target: str = typer.Option("", "--target", help="The column to predict, for a table.", metavar="COLUMN"),
    json: bool = JSON,
) -> int:
    """Find unreadable files, duplicates across splits, imbalance."""
    from netsmith.cli import verbs

    return verbs.data_check(path, target=target, as_json=json)


@app.command()
def demo(
    root: str = ROOT,
    seed: int = typer.Option(0, "--seed", help="The seed of the whole journey."),
) -> None:
    """Run the whole journey on real digits, in two minutes, offline."""
    from netsmith.cli import journey

    journey.demo(root=root, seed=seed)
