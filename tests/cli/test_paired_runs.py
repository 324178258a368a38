"""A paired test of runs: the examples' figures are those of the ranking, their mean is the run's figure."""

from dataclasses import asdict, replace

import pytest
import torch

import netsmith as package
from netsmith.api.run import compare
from netsmith.api.training import begin
from netsmith.compress.fake_quantize import FakeQuantizeLog
from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.engine.task import Ratio
from netsmith.layers.writing import Writing
from netsmith.measure.paired import paired_bootstrap, randomization_test
from netsmith.measure.ranking import average_precision, reciprocal_rank
from netsmith.workflows.paired import compare_paired, each_example
from netsmith.workflows.tuning import cut_into, tuning


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("paired")

    def train(target, name, **sets):
        sets = {"data.twin": True, "device": "cpu", **sets}
        return package.train(target, sets=sets, root=root, name=name, notice=lambda _: None)

    few = {"epochs": 0, "steps": 3}
    return {
        "one": train("drmm_wikiqa", "one", **few),
        "two": train("drmm_wikiqa", "two", **few, seed=1),
        "bm25": train("bm25_wikiqa", "bm25"),
        "page": train("bm25_wikiqa:page_order", "page"),
    }


def test_the_mean_of_the_queries_is_the_figure_of_the_run(runs):
    for run in runs.values():
        for split in ("dev", "test"):
            whole = run.evaluate(split)
            for name in ("map", "mrr", "ndcg@10"):
                each = each_example(run, f"{split}/{name}")
                assert float(each.mean()) == pytest.approx(whole[f"{split}/{name}"], abs=1e-14)
                assert len(each) == run.network.spec.split(split).size
            assert whole[f"{split}/map"] == pytest.approx(run.figures()[f"{split}/map"], abs=1e-12)


def test_a_query_has_the_figure_of_its_own_ranking(runs):
    run = runs["one"]
    questions = run.engine.source.questions("test")
    batch = run.engine.source.load("test", torch.arange(len(questions)))
    answers = run.network.task.decode(run.network(batch.inputs), run.network.spec.outputs)
    maps, ranks = each_example(run, "test/map").tolist(), each_example(run, "test/mrr").tolist()
    for one, answer, precision, rank in zip(questions, answers, maps, ranks, strict=True):
        ranked = [one.grades[at] for at in answer["ranking"]]
        assert (precision, rank) == (average_precision(ranked), reciprocal_rank(ranked))
    assert len(set(maps)) > 3


def test_seeds_of_one_experiment_are_one_side(runs):
    one, two, other = (each_example(runs[name], "test/map") for name in ("one", "two", "page"))
    found = compare_paired([runs[name] for name in ("one", "page", "two", "bm25")], "test/map")
    assert found.first.runs == ("one", "two")
    assert [side.other.runs for side in found.contrasts] == [("page",), ("bm25",)]
    assert found.examples == len(one)
    page = found.contrasts[0]
    assert page.difference == pytest.approx(float((one + two).mean() / 2 - other.mean()), abs=1e-15)
    assert page.difference == pytest.approx(found.first.mean - page.other.mean, abs=1e-15)
    assert (page.low, page.high) == paired_bootstrap((one + two) / 2, other)
    assert page.p == randomization_test((one + two) / 2, other)
    assert page.low < page.difference < page.high
    turned = compare_paired([runs["page"], runs["one"], runs["two"]], "test/map").contrasts[0]
    assert (turned.difference, turned.p) == (pytest.approx(-page.difference, abs=1e-15), page.p)


def test_networks_of_other_teachers_or_cuts_are_other_sides(tmp_path):
    sets = {"data.twin": True, "device": "cpu", "epochs": 0, "steps": 1}
    common = {"sets": sets, "root": tmp_path, "notice": lambda _: None}
    first = package.train("feature_distillation_digits:teacher", name="t1", **common)
    sets["seed"] = 1
    second = package.train("feature_distillation_digits:teacher", name="t2", **common)
    taught = [
        package.train(
            "feature_distillation_digits:kd",
            name=f"{teacher.path.name}-{seed}",
            teacher=teacher.path,
            **common | {"sets": sets | {"seed": seed}},
        )
        for teacher, seed in ((first, 0), (first, 1), (second, 0))
    ]
    found = compare_paired(taught, "test/accuracy")
    assert found.first.runs == ("t1-0", "t1-1")
    assert [side.other.runs for side in found.contrasts] == [("t2-0",)]

    plan = tuning(first, epochs=1)
    rounded = []
    for bits, seed in ((8, 0), (8, 1), (4, 0)):
        log = FakeQuantizeLog(weight_bits=bits)
        cut = cut_into(first, (log.apply(first.network.module), log))
        config = plan.config.derive(seed=seed)
        path = begin(replace(plan, config=config), root=tmp_path, name=f"b{bits}-{seed}", prepare=cut, notice=print)
        rounded.append(package.load(path))
    found = compare_paired(rounded, "test/accuracy")
    assert found.first.runs == ("b8-0", "b8-1")
    assert [side.other.runs for side in found.contrasts] == [("b4-0",)]


def test_what_cannot_be_paired_is_refused(runs, tmp_path):
    with pytest.raises(ConfigError, match="one, two: one experiment, but for the seed; a paired test needs another"):
        compare_paired([runs["one"], runs["two"]], "test/map")
    known = ", ".join(f"{split}/{name}" for split in ("dev", "test") for name in runs["one"].method.metrics())
    for name in ("test/mop", "zzz", "train/map"):
        with pytest.raises(ConfigError, match=f"one has no figure '{name}'; expected one of {known}$"):
            compare_paired([runs["one"], runs["page"]], name)
    sets = {"data.twin": True, "device": "cpu"}
    far = package.train("bm25_cranfield", sets=sets, root=tmp_path, name="far", notice=lambda _: None)
    with pytest.raises(DataError, match="were not judged on the same test examples"):
        compare_paired([runs["bm25"], far], "test/map")


def test_a_figure_of_tokens_is_no_mean_over_examples(tmp_path):
    sets = {"data.twin": True, "device": "cpu", "epochs": 1}
    run = package.train("hmm_resume", sets=sets, root=tmp_path, name="hmm", notice=lambda _: None)
    with pytest.raises(UnsupportedError, match="test/loss of hmm is no mean over examples: their mean is"):
        each_example(run, "test/loss")


def test_written_texts_are_judged_one_by_one(tmp_path, monkeypatch):
    sets = {"data.twin": True, "device": "cpu", "epochs": 0, "steps": 1}
    run = package.train("copy_atis", sets=sets, root=tmp_path, name="copy", notice=lambda _: None)
    size = run.network.spec.split("test").size
    wanted = run.engine.source.load("test", torch.arange(size)).targets.clamp(min=0)
    right = [row.equal(wanted[0]) for row in wanted]
    write = Writing.forward  # every text is the one that the first example asks for
    monkeypatch.setattr(Writing, "forward", lambda self, source: wanted[:1].expand(len(write(self, source)), -1))
    assert each_example(run, "test/exact").tolist() == right
    assert 0 < sum(right) < size
    with pytest.raises(UnsupportedError, match="test/perplexity of copy is no mean over examples: their mean is"):
        each_example(run, "test/perplexity")


def test_windows_of_a_stream_are_no_examples(tmp_path):
    sets = {"data.twin": True, "device": "cpu", "epochs": 0, "steps": 1}
    run = package.train("lstm_ptb", sets=sets, root=tmp_path, name="lstm", notice=lambda _: None)
    size = run.network.spec.split("test").size
    with pytest.raises(UnsupportedError, match=rf"test/perplexity of lstm is no .*: 1 figures for {size} examples"):
        each_example(run, "test/perplexity")


def test_an_infinite_figure_of_an_example_is_refused(runs, monkeypatch):
    monkeypatch.setattr(Ratio, "compute", lambda _: float("inf"))
    with pytest.raises(UnsupportedError, match=r"test/map of one is infinite for [0-9]+ of [0-9]+ examples"):
        each_example(runs["one"], "test/map")


def test_classifiers_are_compared_by_what_is_right(tmp_path):
    sets = {"data.twin": True, "device": "cpu", "epochs": 1}
    one = package.train("mlp_digits", sets=sets, root=tmp_path, name="a", notice=lambda _: None)
    sets |= {"optimizers.model.lr": 1e-6}
    other = package.train("mlp_digits", sets=sets, root=tmp_path, name="b", notice=lambda _: None)
    each = each_example(one, "test/accuracy")
    assert set(each.tolist()) == {0, 1}
    found = compare([one, other], paired="test/accuracy")["paired"]
    assert found["first"]["mean"] == one.evaluate("test")["test/accuracy"]
    assert found["contrasts"][0]["p"] < 0.01


def test_the_command_prints_the_test(runs, netsmith):
    paths = " ".join(str(runs[name].path) for name in ("one", "two", "page", "bm25"))
    found = asdict(compare_paired([runs[name] for name in ("one", "two", "page", "bm25")], "test/map"))
    shown = netsmith(f"compare {paths} --paired test/map")
    assert shown.code == 0
    lines = shown.out.splitlines()
    at = lines.index(f"test/map over the same {found['examples']} examples")
    assert lines[at + 1].split() == ["mean", "difference", "95", "%", "interval", "p"]
    assert lines[at + 2].split() == ["one", "and", "1", "more", f"{found['first']['mean']:.4f}"]
    page = found["contrasts"][0]
    interval = [f"{page['low']:+.4f}", "to", f"{page['high']:+.4f}"]
    wanted = ["page", f"{page['other']['mean']:.4f}", f"{page['difference']:+.4f}", *interval, f"{page['p']:.5f}"]
    assert lines[at + 3].split() == wanted
    assert "not corrected for 2 tests" in shown.out
    assert netsmith(f"compare {paths} --paired accuracy").line.startswith("one has no figure 'accuracy'")
