"""Scheduled sampling: show and tell that learns to go on from words of its own, too (Bengio et al. 2015)."""

from netsmith.data.shape_captions import ShapeCaptions
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_and_tell import ShowAndTell
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.caption import Caption

CARD = {
    "title": "Scheduled sampling on drawn shapes",
    "paper": "Bengio, Vinyals, Jaitly & Shazeer 2015, arXiv:1506.03099, section 4.1",
    "claims": [
        {
            "metric": "test/bleu",
            "against": "show_and_tell_shapes",
            "value": 0.5,
            "tolerance": 0.0,
            "source": "netsmith: the direction of table 1 (28.8 to 30.6 on COCO), all else being the same",
        },
    ],
    "deviations": [
        "drawn pictures of 32 x 32, whose facts can be checked, in place of COCO",
        "the network and all settings of show_and_tell_shapes; the paper's has 512 units and an encoder of its own",
        "words of its own are read by the inverse sigmoid with k = 300: one in eight at half of the steps, one in two "
        "from step 1,711 on, where the share stays",
        "each epoch shows a picture with one of its five captions, drawn; the likeliest word each time, no beam",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/perplexity", "value": 4.0, "steps": 150, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=ShowAndTell.Config(
            encoder=SmallCNN.Config(channels=(16, 32, 64), num_classes=1),
            pool="all",
            embedding_size=64,
            hidden_size=128,
        ),
        task=Caption.Config(figures=("facts", "bleu")),
        beams=1,
        longest=20,
        sampling="inverse_sigmoid",
        sampling_k=300.0,
        least_true=0.5,
    ),
    data=ShapeCaptions.Config(batch=64),
    optimizers={"model": Adam.Config(lr=3e-3, schedule=Cosine.Config())},
    epochs=24,
    evaluate_every=558,
    clip_norm=5.0,
)
