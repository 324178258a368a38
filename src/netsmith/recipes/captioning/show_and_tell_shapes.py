"""Show and tell on drawn shapes, where every fact of a caption can be checked (Vinyals et al. 2015)."""

from netsmith.data.shape_captions import ShapeCaptions
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_and_tell import ShowAndTell
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.caption import Caption

CARD = {
    "title": "Show and tell on drawn shapes",
    "paper": "Vinyals et al. 2015, arXiv:1411.4555",
    "claims": [
        {
            "metric": "test/facts",
            "against": "show_attend_tell_shapes:shuffled",
            "value": 0.2,
            "tolerance": 0.0,
            "source": "netsmith: what the pictures give beyond the language",
        },
    ],
    "deviations": [
        "drawn pictures of 32 x 32, whose facts can be checked, in place of COCO, Flickr and Pascal",
        "the encoder is a small convolutional network that is trained along; the paper's is trained on ImageNet",
        "the picture's vector is a linear map of all places of the last feature map, not of their mean, which hardly "
        "tells where things are",
        "128 units and word vectors of 64 in place of 512 and 512; Adam with a cosine in place of SGD; no ensemble",
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
    ),
    data=ShapeCaptions.Config(batch=64),
    optimizers={"model": Adam.Config(lr=3e-3, schedule=Cosine.Config())},
    epochs=24,
    evaluate_every=558,
    clip_norm=5.0,
)
