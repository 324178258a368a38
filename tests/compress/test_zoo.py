"""Every network of the catalogue is cut by half, with proof."""

import pytest
import torch

from netsmith.compress.prune import prune
from netsmith.core.errors import UnsupportedError
from netsmith.core.registry import recipes
from netsmith.models.text.bilstm import BiLSTM
from netsmith.models.text.transformer_encoder import TransformerEncoder
from netsmith.models.translation.bahdanau import Bahdanau
from netsmith.models.translation.gnmt import Gnmt
from netsmith.verify.subject import Subject

WORDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 0, 0, 0, 0]])


_NONE = "no channel of this network can be cut"
UNCUT = {
    # counts, weights or examples per pixel and class: inputs and outputs only
    **dict.fromkeys(("naive_bayes_digits", "adaline_digits", "perceptron_digits", "logistic_digits"), _NONE),
    **dict.fromkeys(("linear_diabetes", "knn_mnist", "svm_digits", "tree_digits"), _NONE),
    **dict.fromkeys(("adaline_iris", "perceptron_iris", "logistic_breast_cancer", "svm_breast_cancer"), _NONE),
    **dict.fromkeys(("ar_airline", "ar_sunspots", "kneser_ney_ptb", "hmm_resume", "hmm_segmenter_pfr"), _NONE),
    "hmm_segmenter_ud": _NONE,
    **dict.fromkeys(("maxent_polarity", "naive_bayes_mr", "svm_polarity"), _NONE),
    "neocognitron_digits": _NONE,  # its planes are averaged over (its v_S)
    "lenet5_1998_mnist": "the operation torch.Tensor.index_copy in features.c3",  # kernels put where the table says
    # one matrix read in both directions, or tables looked up in: computed with, not layers
    "rbm_digits": "a weight or bias that is computed, not a parameter, in RBM",
    "drop_connect_digits": "a weight or bias that is computed, not a parameter, in hidden.0.drop_connect",
    # weights of features, counts and vectors of words: inputs and outputs only
    **dict.fromkeys(("crf_resume", "crf_segmenter_pfr", "crf_segmenter_ud", "bm25_cranfield", "bm25_wikiqa"), _NONE),
    **dict.fromkeys(("phrase_based_multi30k", "word2vec_wikitext2"), _NONE),
    **dict.fromkeys(("drmm_cranfield", "drmm_wikiqa"), "a weight that is computed, not a parameter, in DRMM"),
    "knrm_wikiqa": "a weight that is computed, not a parameter, in KNRM",  # both: vectors made to length 1
    "structured_perceptron_resume": "a weight that is computed, not a parameter, in StructuredPerceptron",
}
LESS = {"pointer_hull": 0.75, "pointer_sorting": 0.75}
"""What stays where it is more than 0.7: three quarters of their weights are the decoder's, whose inputs stay."""


@pytest.mark.parametrize("name", recipes())
def test_the_product_of_a_recipe_is_cut(name):
    subject = Subject.of(name, steps=2)
    network = subject.network(subject.engine())
    example = network.module_example(2)
    if name in UNCUT:
        with pytest.raises(UnsupportedError, match=UNCUT[name]):
            prune(network.module, example, ratio=0.5)
        return
    small, log = prune(network.module, example, ratio=0.5)
    assert log.proof[0]["error"] <= 1e-12
    before, after = (sum(p.numel() for p in net.parameters()) for net in (network.module, small))
    assert after < LESS.get(name, 0.7) * before


def test_the_writers_whose_cells_read_slices_of_a_weight_give_the_logits_of_the_masked_ones():
    """What a writer answers, and so its proof compares, are tokens; here the numbers behind them are compared."""
    source, text = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 0, 0]]), torch.tensor([[1, 4, 5, 6], [1, 7, 8, 0]])
    for config in (
        Bahdanau.Config(embedding_size=6, hidden_size=8, readout_size=6, vocab_size=12, num_outputs=11),
        Bahdanau.Config(embedding_size=6, hidden_size=8, readout_size=6, reset="before", vocab_size=12, num_outputs=11),
        Gnmt.Config(embedding_size=6, hidden_size=8, init_range=0.5, vocab_size=12, num_outputs=11),
    ):
        network = config.build().double()
        small, log = prune(network, (source, text), ratio=0.5, scope="local")
        masked = dict(network.named_parameters())
        for step in log.steps:
            for own, change in step.tensors.items():
                tensor = masked[f"{step.module}.{own}"]
                for axis, kept in change.kept.items():
                    gone = [i for i in range(tensor.shape[axis]) if i not in kept]
                    tensor.data.index_fill_(axis, torch.tensor(gone), 0)
        torch.testing.assert_close(small(source, text), network(source, text), rtol=1e-12, atol=1e-12)
        cell = small.get_submodule("decoder" if isinstance(small, Bahdanau) else "first").inputs
        assert (cell.in_features, cell.out_features) == tuple(cell.weight.shape[::-1])
        assert cell.out_features == (12 if isinstance(small, Bahdanau) else 16)


def test_a_bidirectional_lstm_loses_half_of_its_hidden_units():
    config = BiLSTM.Config(embedding_size=8, hidden_size=12, num_layers=2, vocab_size=30, num_classes=3)
    small, log = prune(config.build(), WORDS, ratio=0.5, scope="local", protect=["embedding"])
    assert [layer.hidden_size for layer in small.layers] == [6, 6]
    assert small.layers[1].weight_ih_l0_reverse.shape == (4 * 6, 2 * 6 + 1)
    assert log.proof[0]["shapes"] == [[2, 7], [3, 3], [3, 8]]
    assert log.proof[0]["error"] <= 1e-12


def test_a_transformer_loses_whole_heads_feed_forward_width_and_numbers_of_a_word():
    config = TransformerEncoder.Config(size=24, feedforward_size=20, vocab_size=30, max_length=8, num_classes=3)
    network = config.build()
    small, log = prune(network, WORDS, ratio=0.5, scope="local")
    for layer in small.layers:
        attention = layer.attention
        assert attention.num_heads == 2
        assert attention.query.weight.shape == attention.key.weight.shape == (12, 12)
        assert layer.wide.out_features == 10
    assert small.embedding.weight.shape == (30, 12)
    assert small.positions.shape[-1] == 12  # the sines of what stayed
    assert log.proof[0]["error"] <= 1e-12
    narrow, log = prune(network, WORDS, ratio=0.5, scope="local", heads="width")
    assert narrow.layers[0].attention.num_heads == 4
    assert narrow.layers[0].attention.value.out_features == 12
    assert log.proof[0]["error"] <= 1e-12
