"""Teacher forcing against a loop written out; scheduled sampling at 0, at 1 and between; resume; figures."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.api.run import train
from netsmith.core.errors import ConfigError
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.layers.scheduled_sampling import own_share, sampled
from netsmith.layers.writing import Judged
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.sequence.pointer_network import PointerNetwork
from netsmith.models.tabular.mlp import MLP
from netsmith.models.translation.bahdanau import Bahdanau
from netsmith.optim.adam import Adam
from netsmith.tasks.write import Write
from reversal import Reversal, SmallWriter


def engine(**changes):
    config = Experiment.Config(
        method=TeacherForcing.Config(model=SmallWriter.Config(), task=Write.Config(), beams=2, longest=8),
        data=Reversal.Config(),
        optimizers={"model": Adam.Config(lr=0.02)},
        steps=5,
        precision="fp64",
        evaluate_every=100,
    )
    return Engine(Experiment(config.derive(**changes)))


def taken(run, steps):
    for step in range(steps):
        run.updater.begin(step)
        logs = run.method.step(run.feed, run.updater)
        run.step += 1
    return [p.detach().clone() for p in run.method.parameters()], logs


def test_a_step_is_that_of_a_loop_over_the_true_texts():
    run = engine()
    writer = SmallWriter(SmallWriter.Config()).double()
    writer.load_state_dict(run.method.model.writer.state_dict())
    optimizer = torch.optim.Adam(writer.parameters(), lr=0.02)
    for at in run.source.order("train", seed=0, epoch=0)[:3]:
        batch = run.source.load("train", at)
        logits = writer(batch.inputs["source"], batch.inputs["written"])
        loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        gradients = torch.autograd.grad(loss, writer.parameters())
        for parameter, gradient in zip(writer.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
    parameters, logs = taken(run, 3)
    assert logs["loss"] == pytest.approx(loss.item(), rel=1e-10)
    for ours, theirs in zip(parameters, writer.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-9, atol=1e-11)


@pytest.fixture
def world():
    run = engine()
    batch = run.source.load("train", torch.arange(9), key=5)
    return run.method.model.writer, batch


def test_with_no_own_token_it_is_teacher_forcing(world):
    writer, batch = world
    source, written = batch.inputs["source"], batch.inputs["written"]
    found = sampled(writer, source, written, own=0.0, keys=batch.keys)
    assert torch.equal(found.read, written)
    assert torch.equal(found.logits, writer(source, written))
    still = {"method.sampling": "constant", "method.sampling_k": 1.0}
    for ours, theirs in zip(taken(engine(), 4)[0], taken(engine(**still), 4)[0], strict=True):
        assert torch.equal(ours, theirs)


def test_with_own_tokens_alone_what_is_read_is_what_was_answered(world):
    writer, batch = world
    with torch.no_grad():
        writer.head.weight.mul_(1e4)  # no doubt is left: the draw is the likeliest
    source, written = batch.inputs["source"], batch.inputs["written"]
    found = sampled(writer, source, written, own=1.0, keys=batch.keys)
    likeliest = found.logits[..., 2:].argmax(-1) + 2
    inside = written[:, 1:] != 0
    assert torch.equal(found.read[:, 1:][inside], likeliest[:, :-1][inside])
    assert bool((found.read[:, 0] == 2).all())
    assert not found.read[:, 1:][~inside].any()
    assert not torch.equal(found.read, written)


def test_draws_do_not_depend_on_how_a_batch_is_cut_or_padded(world):
    writer, batch = world
    source, written = batch.inputs["source"], batch.inputs["written"]
    whole = sampled(writer, source, written, own=0.5, keys=batch.keys)
    share = (whole.read != written)[written != 0].double().mean()
    assert 0.2 < share < 0.5  # half of the places but the first, some drawn right
    for row in range(len(source)):
        length = int((written[row] != 0).sum())
        keys = batch.keys[row : row + 1]
        alone = sampled(writer, source[row : row + 1], written[row : row + 1, :length], own=0.5, keys=keys)
        assert torch.equal(alone.read[0], whole.read[row, :length])
    drawing = {"method.sampling": "constant", "method.sampling_k": 0.5}
    for one, two in zip(taken(engine(**drawing), 3)[0], taken(engine(**drawing, micro_batches=5), 3)[0], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


def test_shares_fall_by_the_papers_three_decays():
    assert [own_share("linear", i, k=0.9, slope=0.1, least=0.2) for i in (0, 3, 99)] == pytest.approx([0.1, 0.4, 0.8])
    assert [own_share("exponential", i, k=0.9) for i in (0, 10)] == pytest.approx([0, 1 - 0.9**10])
    assert own_share("inverse_sigmoid", 30, k=10.0) == pytest.approx(1 - 10 / (10 + 20.085536923), rel=1e-9)
    assert own_share("inverse_sigmoid", 10**9, k=10.0) == 1.0
    run = engine(**{"method.sampling": "linear", "method.sampling_k": 1.0, "method.sampling_slope": 0.25})
    assert [taken(run, 1)[1].get("own") for _ in range(3)] == [0.0, 0.25, 0.5]


def test_a_run_that_is_cut_goes_on_with_its_share():
    drawing = {"method.sampling": "linear", "method.sampling_k": 1.0, "method.sampling_slope": 0.2}
    whole, _ = taken(engine(**drawing), 5)
    cut = engine(**drawing)
    taken(cut, 2)
    again = engine(**drawing)
    again.restore(cut.snapshot())
    assert again.method.steps_taken == 2
    for step in range(2, 5):
        again.updater.begin(step)
        again.method.step(again.feed, again.updater)
    for a, b in zip(again.method.parameters(), whole, strict=True):
        assert torch.equal(a, b)


def test_it_learns_to_write_backwards_and_its_figures_say_so():
    run = engine(steps=200, precision="fp32", **{"data.longest": 2, "method.model.size": 32})
    taken(run, 200)
    run.method.eval()
    found = run.evaluate("dev")
    assert found["dev/exact"] >= 0.9
    assert found["dev/perplexity"] < 1.2
    quiet = engine(**{"method.task.figures": ()})
    assert set(quiet.evaluate("dev")) == {"dev/perplexity"}
    batch = quiet.source.load("dev", torch.arange(4))
    (written,) = quiet.method.task.decode(torch.tensor([[4, 3, 2, 0]]), quiet.experiment.spec.outputs)
    assert written == {"text": "b a", "tokens": ["b", "a"]}
    assert isinstance(batch, Batch)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beams": 1, "coverage": 0.2}, "with beams=1 there is one"),
        ({"sampling_k": 0.5}, "a sampling other than none"),
        ({"sampling": "exponential", "sampling_k": 0.9, "sampling_slope": 0.1}, "the linear decay, not for expo"),
        ({"sampling": "inverse_sigmoid", "sampling_k": 0.5}, "at least 1, got 0.5"),
        ({"sampling": "linear", "sampling_k": 1.5}, "a share of true tokens"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        TeacherForcing.Config(model=SmallWriter.Config(), task=Write.Config(), **changes)


def test_a_model_that_writes_nothing_is_refused():
    config = engine().experiment.config.method.derive(model=MLP.Config(in_features=3, num_outputs=2))
    with pytest.raises(ConfigError, match="mlp is none"):
        config.build(spec=engine().experiment.spec)


def test_a_coverage_of_a_model_without_attention_is_refused_before_any_data():
    spec = engine().experiment.spec
    sizes = {"embedding_size": 4, "hidden_size": 4, "readout_size": 4, "vocab_size": 9, "num_outputs": 9}
    blind = TeacherForcing.Config(
        model=Bahdanau.Config(attention="none", **sizes), task=Write.Config(), beams=2, coverage=0.2
    )
    with pytest.raises(ConfigError, match=r"coverage=0\.2: Bahdanau has no attention; leave it out"):
        blind.build(spec=spec)
    assert blind.derive(**{"model.attention": "additive"}).build(spec=spec).model.coverage == 0.2


def test_own_tokens_are_refused_where_they_make_the_true_ones_impossible():
    spec = engine().experiment.spec
    config = TeacherForcing.Config(
        model=PointerNetwork.Config(hidden_size=4, repeats=False, in_features=1),
        task=Write.Config(),
        sampling="constant",
        sampling_k=0.5,
    )
    with pytest.raises(ConfigError, match=r"sampling='constant': what pointer_network wrote .* method\.sampling=none"):
        config.build(spec=spec)
    assert config.derive(**{"model.repeats": True}).build(spec=spec)
    assert config.derive(sampling="none", sampling_k=0.0).build(spec=spec)


@pytest.mark.parametrize("recipe", ["pointer_sorting", "pointer_hull"])
def test_answers_longer_than_what_is_written_are_refused_before_a_run(recipe, tmp_path):
    with pytest.raises(ConfigError, match=r"up to 21 tokens .* 11 are written at most; set method\.longest=21"):
        train(
            recipe,
            name="a",
            sets={"data.most": 20, "steps": 1, "evaluate_every": 1},
            root=tmp_path,
            notice=lambda _: None,
        )
    assert not list(tmp_path.iterdir())


def test_figures_come_from_the_places_with_a_target_alone(monkeypatch):
    run = engine(**{"data.longest": 4, "method.task.figures": ()})
    sizes = {"embedding_size": 4, "hidden_size": 4, "readout_size": 4, "vocab_size": 9, "num_outputs": 9}
    config = run.experiment.config.method.derive(model=Bahdanau.Config(**sizes))
    method = config.build(spec=run.experiment.spec).double().eval()
    batch = run.source.load("dev", torch.arange(9))
    wanted, found = method.task.metrics(), method.task.metrics()
    logits = method.model.writer(batch.inputs["source"], batch.inputs["written"]).detach()
    wanted["perplexity"].update(Judged(logits, None, run.experiment.spec.outputs), batch.targets)
    monkeypatch.setattr(Bahdanau, "forward", None)  # all places at once are never asked for
    with torch.no_grad():
        method.evaluate(batch, found)
    assert found["perplexity"].compute() == pytest.approx(wanted["perplexity"].compute(), rel=1e-12)
