"""Show, attend and tell on drawn shapes, where every fact of a caption can be checked (Xu et al. 2015)."""

from netsmith.data.shape_captions import ShapeCaptions
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_attend_and_tell import ShowAttendAndTell
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.caption import Caption

CARD = {
    "title": "Show, attend and tell on drawn shapes",
    "paper": "Xu et al. 2015, arXiv:1502.03044",
    "claims": [
        {
            "metric": "test/facts",
            "value": 0.7,
            "tolerance": 0.03,
            "source": "netsmith: a target of our own; most test pictures with several shapes hold one where training "
            "never has it",
        },
        {
            "metric": "test/facts",
            "against": ":shuffled",
            "value": 0.6,
            "tolerance": 0.0,
            "source": "netsmith: what the pictures give beyond the language",
        },
    ],
    "deviations": [
        "drawn pictures of 32 x 32, whose facts can be checked, in place of Flickr8k and COCO",
        "the encoder is a small convolutional network that is trained along; the paper's is VGG, trained on ImageNet "
        "and left as it is",
        "each place has a learned vector, so that it knows where it is",
        "soft attention only; 128 units in place of 1,000; Adam with a cosine in place of RMSprop",
        "lambda of the doubly stochastic penalty is 0.01: with 64 places and about 11 words no attention comes near 1 "
        "everywhere, and 1 would leave nothing but an even gaze",
        "each epoch shows a picture with one of its five captions, drawn; the likeliest word each time, no beam",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/perplexity", "value": 4.0, "steps": 150, "direction": "at_most"},
}

VARIANTS = {
    "shuffled": {
        "set": {"data.shuffled": True},
        "title": "Show, attend and tell with the pictures of other scenes",
        "claims": [],
        "deviations": ["the control: pictures that have nothing to do with the captions, in all parts"],
    },
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=ShowAttendAndTell.Config(
            encoder=SmallCNN.Config(channels=(16, 32, 64), num_classes=1),
            places=True,
            embedding_size=64,
            hidden_size=128,
            attention_size=64,
            penalty=0.01,
        ),
        task=Caption.Config(figures=("facts", "bleu")),
        beams=1,
        longest=20,
    ),
    data=ShapeCaptions.Config(batch=64),
    optimizers={"model": Adam.Config(lr=3e-3, schedule=Cosine.Config())},
    epochs=24,
    evaluate_every=558,
    clip_norm=5.0,
)
