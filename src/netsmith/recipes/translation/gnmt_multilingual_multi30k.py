"""One network for five directions on Multi30k, told by a mark what to write (Johnson et al. 2017); two never shown."""

from netsmith.data.multi30k_multilingual import Multi30kMultilingual
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.translation.gnmt import Gnmt
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.write import Write

CARD = {
    "title": "Multilingual GNMT on Multi30k: en-de, en-fr, en-cs, de-en, fr-en; de-fr and fr-de without an example",
    "paper": "arXiv:1611.04558",
    "claims": [
        {
            "metric": "test/bleu",
            "value": 25.0,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, over the five directions together",
        },
    ],
    "deviations": [
        "Multi30k (5 x 29,000 pairs of the same 29,000 pictures, so all sentences exist in all languages) in place of "
        "WMT and of Google's own pairs; byte-pair tokens (5,000 merges for all languages) in place of wordpieces",
        "3 layers of 256 units where the paper has 8 of 1,024; weights are drawn by torch's rules; one table of tokens "
        "for both sides",
        "two epochs: one seed is to take no more than 45 minutes on one core",
        "Adam with a one-cycle rate, label smoothing and dropout 0.1 in place of Adam, then SGD",
        "test/bleu is over the five trained directions together; each direction, and the two that training never "
        "shows, by benchmarks/zero_shot.py RUN, directly and by way of English",
        "BLEU as sacrebleu has it (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp), of a search with 4 beams",
    ],
    "learns": {"metric": "dev/perplexity", "value": 25.0, "steps": 50, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=Gnmt.Config(
            embedding_size=256, hidden_size=256, num_layers=3, share_embeddings=True, init_range=0.0, dropout=0.1
        ),
        task=Write.Config(label_smoothing=0.1, figures=("bleu",)),
        beams=4,
        penalty=1.0,
        longest=60,
    ),
    data=Multi30kMultilingual.Config(
        directions=("en-de", "en-fr", "en-cs", "de-en", "fr-en"),
        zero_shot=("de-fr", "fr-de"),
        merges=5000,
        batch=64,
        bucket=500,
        longest=60,
    ),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=OneCycle.Config(peak=0.2))},
    epochs=2,
    clip_norm=1.0,
    select="dev/bleu",
)
