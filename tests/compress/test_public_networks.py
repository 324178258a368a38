"""Networks of a public library, as their authors wrote them: none is known to the tracer."""

import pytest
import torch
import transformers as hf

from compress.judge import draw, judge
from netsmith.compress.prune import prune
from netsmith.compress.trace import trace

WIDTHS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
SIZES = {"hidden_sizes": [16, 32, 32, 64], "depths": [1, 1, 1, 1]}
WORDS = {"input_ids": torch.arange(3, 27).reshape(2, 12)}
BOTH = {**WORDS, "decoder_input_ids": torch.arange(3, 21).reshape(2, 9)}


def pictures(size):
    return {"pixel_values": torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(size))}


NETWORKS = {
    "ViT": (lambda: hf.ViTForImageClassification(hf.ViTConfig(image_size=32, patch_size=8, **WIDTHS)), pictures(32)),
    "Swin": (
        lambda: hf.SwinForImageClassification(
            hf.SwinConfig(image_size=32, patch_size=2, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4)
        ),
        pictures(32),
    ),
    "ConvNeXt V2": (lambda: hf.ConvNextV2ForImageClassification(hf.ConvNextV2Config(**SIZES)), pictures(64)),
    "MobileNet V2": (
        lambda: hf.MobileNetV2ForImageClassification(hf.MobileNetV2Config(image_size=64, depth_multiplier=0.35)),
        pictures(64),
    ),
    "RegNet": (
        lambda: hf.RegNetForImageClassification(hf.RegNetConfig(embedding_size=16, groups_width=8, **SIZES)),
        pictures(64),
    ),
    "PoolFormer": (
        lambda: hf.PoolFormerForImageClassification(
            hf.PoolFormerConfig(hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1])
        ),
        pictures(64),
    ),
    "BERT": (
        lambda: hf.BertForSequenceClassification(hf.BertConfig(vocab_size=50, **WIDTHS)),
        {**WORDS, "attention_mask": torch.ones(2, 12, dtype=torch.int64)},
    ),
    "ALBERT": (
        lambda: hf.AlbertForSequenceClassification(hf.AlbertConfig(vocab_size=50, embedding_size=16, **WIDTHS)),
        WORDS,
    ),
    "MPNet": (lambda: hf.MPNetForSequenceClassification(hf.MPNetConfig(vocab_size=50, **WIDTHS)), WORDS),
    "GPT-2": (
        lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(vocab_size=50, n_positions=16, n_embd=32, n_layer=2, n_head=4, use_cache=False)
        ),
        WORDS,
    ),
    "Llama": (
        lambda: hf.LlamaForCausalLM(hf.LlamaConfig(vocab_size=50, num_key_value_heads=2, use_cache=False, **WIDTHS)),
        WORDS,
    ),
    "T5": (
        lambda: hf.T5ForConditionalGeneration(
            hf.T5Config(vocab_size=50, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, use_cache=False)
        ),
        BOTH,
    ),
    "BART": (
        lambda: hf.BartForConditionalGeneration(
            hf.BartConfig(
                vocab_size=50, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
                decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=32,
                use_cache=False,
            )
        ),
        BOTH,
    ),
    "AST": (
        lambda: hf.ASTForAudioClassification(hf.ASTConfig(max_length=64, num_mel_bins=16, patch_size=8, **WIDTHS)),
        {"input_values": torch.randn(2, 64, 16, generator=torch.Generator().manual_seed(0))},
    ),
}  # fmt: skip


def made(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        make, example = NETWORKS[name]
        return make().eval(), example


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_nobody_told_the_tracer_of_is_cut_as_an_independent_judge_says(name):
    net, example = made(name)
    given = tuple(example.get(one) for one in ("input_ids", "attention_mask", "decoder_input_ids"))
    while given and given[-1] is None:
        given = given[:-1]
    given = given or tuple(example.values())
    drawn = iter(draw(tuple(example.values()), 1, 3))
    inputs = [given, tuple(None if one is None else next(drawn) for one in given)]
    verdict = judge(net, example, [tuple(t for t in one) for one in inputs])
    assert (verdict.outcome, verdict.reason) == ("right", "")
    assert verdict.after <= 0.8 * verdict.before


def test_heads_that_share_keys_and_values_go_together():
    net, example = made("Llama")
    small, _ = prune(net, example, ratio=0.5, scope="local")
    attention = small.model.layers[0].self_attn
    assert attention.k_proj.out_features == attention.v_proj.out_features == 8  # one head of two
    assert attention.q_proj.out_features == attention.o_proj.in_features == 16  # with the two queries that share it


def test_heads_with_a_learned_bias_of_positions_lose_its_columns():
    for name, module in (("T5", "encoder.block.0.layer.0.SelfAttention"), ("MPNet", "mpnet.encoder")):
        net, example = made(name)
        small, _ = prune(net, example, ratio=0.5, scope="local")
        assert small.get_submodule(module).relative_attention_bias.embedding_dim == 2


def test_a_dict_gives_arguments_by_name_as_a_tuple_gives_them_by_place():
    net, example = made("BERT")
    by_place = (example["input_ids"], example["attention_mask"])
    assert trace(net, example).families == trace(net, by_place).families
    with_types = {"token_type_ids": torch.zeros(2, 12, dtype=torch.int64), **WORDS}  # in any order, one left out
    assert (
        trace(net, with_types).families == trace(net, (WORDS["input_ids"], None, with_types["token_type_ids"])).families
    )
