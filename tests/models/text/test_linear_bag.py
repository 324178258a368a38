"""Linear learners over bags of words give scikit-learn's features, weights and answers, from their own arrays."""

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.text.bag_naive_bayes import BagNaiveBayes
from netsmith.models.text.linear_svm import LinearSvm
from netsmith.models.text.maximum_entropy import MaximumEntropy
from netsmith.tasks.classify import Classify

VOCABULARY = 30
WORDS = [f"w{number}" for number in range(VOCABULARY)]


def texts(*, seed=0, count=150, classes=2, length=18):
    """Return token numbers of classes that prefer different words, and the classes; some words are unknown (1)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    shares = torch.rand(classes, VOCABULARY - 1, generator=torch.Generator().manual_seed(9)) ** 2
    tokens = 1 + torch.multinomial(shares[labels], length, replacement=True, generator=generator)
    ends = torch.randint(3, length + 1, (count, 1), generator=generator)
    return tokens * (torch.arange(length) < ends), labels


def as_words(tokens):
    return [" ".join(WORDS[token] for token in row if token) for row in tokens.tolist()]


def vectorizer(model, *, features, unit_length):
    """Return scikit-learn's vectorizer of the same features: the known words, then the pairs that the model keeps."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    pairs = [f"{WORDS[key // VOCABULARY]} {WORDS[key % VOCABULARY]}" for key in model.pairs.tolist()]
    shared = {"vocabulary": WORDS[2:] + pairs, "ngram_range": (1, 2), "token_pattern": r"\S+"}
    if features == "tf_idf":
        return text.TfidfVectorizer(norm="l2" if unit_length else None, **shared)
    counts = text.CountVectorizer(binary=features == "presence", **shared)
    normalizer = pytest.importorskip("sklearn.preprocessing").Normalizer()
    pipeline = pytest.importorskip("sklearn.pipeline")
    return pipeline.make_pipeline(counts, normalizer) if unit_length else counts


def fitted(config, tokens, labels, **more):
    model = config.build()
    model.fit(tokens, labels, **more)
    return model


@pytest.mark.parametrize("unit_length", [False, True])
@pytest.mark.parametrize("features", ["presence", "count", "tf_idf"])
def test_features_are_those_of_scikit_learn(features, unit_length):
    tokens, labels = texts()
    config = BagNaiveBayes.Config(
        features=features, unit_length=unit_length, bigrams=40, vocab_size=VOCABULARY, num_classes=2
    )
    model = fitted(config, tokens, labels)
    theirs = vectorizer(model, features=features, unit_length=unit_length).fit(as_words(tokens))
    assert len(model.pairs) == 40
    for given in (tokens, texts(seed=1)[0]):
        wanted = theirs.transform(as_words(given)).toarray()
        assert model.features(given).numpy() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("event_model", ["multinomial", "bernoulli"])
def test_naive_bayes_answers_what_scikit_learn_answers(event_model, classes):
    naive_bayes = pytest.importorskip("sklearn.naive_bayes")
    tokens, labels = texts(classes=classes)
    weights = torch.rand(len(labels), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    config = BagNaiveBayes.Config(
        event_model=event_model, alpha=0.5, bigrams=25, vocab_size=VOCABULARY, num_classes=classes
    )
    for given in (None, weights):
        ours = fitted(config, tokens, labels, weights=given)
        kind = naive_bayes.MultinomialNB if event_model == "multinomial" else naive_bayes.BernoulliNB
        rows = ours.features(tokens).numpy()
        theirs = kind(alpha=0.5).fit(rows, labels.numpy(), None if given is None else given.numpy())
        new, _ = texts(seed=1, classes=classes)
        wanted = theirs.predict_log_proba(ours.features(new).numpy())
        assert ours(new).log_softmax(1).numpy() == pytest.approx(wanted, abs=1e-9)
        if event_model == "multinomial":  # what a word says is its share in each class, compared with the others
            shares = torch.from_numpy(theirs.feature_log_prob_.T.copy())
            assert torch.allclose(ours.weight, shares - shares.mean(1, keepdim=True), atol=1e-12, rtol=0)


@pytest.mark.parametrize("classes", [2, 3])
def test_maximum_entropy_is_at_the_optimum_that_scikit_learn_finds(classes):
    linear = pytest.importorskip("sklearn.linear_model")
    tokens, labels = texts(classes=classes)
    config = MaximumEntropy.Config(strength=0.7, bigrams=25, vocab_size=VOCABULARY, num_classes=classes)
    ours = fitted(config, tokens, labels)
    rows = ours.features(tokens)
    theirs = linear.LogisticRegression(C=0.7, tol=1e-9, solver="newton-cg", max_iter=1000).fit(rows, labels)
    new, _ = texts(seed=1, classes=classes)
    shares = ours(new).softmax(1).numpy()
    assert shares == pytest.approx(theirs.predict_proba(ours.features(new).numpy()), abs=1e-5)  # another solver
    # The slope of the regularized loss is 0, by torch's own gradient: of two classes in how they differ.
    parts = (ours.weight, ours.offset) if classes > 2 else (_apart(ours.weight), _apart(ours.offset))
    weight, offset = (part.clone().requires_grad_(True) for part in parts)
    loss = 0.7 * torch.nn.functional.cross_entropy(rows @ weight + offset, labels, reduction="sum")
    slopes = torch.autograd.grad(loss + weight.square().sum() / 2, (weight, offset))
    part = slice(1, None) if classes == 2 else slice(None)
    assert max(float(slope[..., part].abs().max()) for slope in slopes) < 1e-4
    assert classes > 2 or torch.equal(ours.weight[:, 0], -ours.weight[:, 1])  # either class can be asked why


def _apart(scores):
    """Return the scores of two classes with those of the first taken off both."""
    return scores - scores[..., :1]


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_machine_decides_as_scikit_learns(classes, loss):
    svm = pytest.importorskip("sklearn.svm")
    tokens, labels = texts(classes=classes)
    config = LinearSvm.Config(loss=loss, unit_length=True, vocab_size=VOCABULARY, num_classes=classes)
    ours = fitted(config, tokens, labels)
    theirs = svm.LinearSVC(loss=loss, dual=True, tol=1e-6, max_iter=100_000, random_state=0)
    theirs.fit(ours.features(tokens).numpy(), labels.numpy())
    new, _ = texts(seed=1, count=400, classes=classes)
    wanted = theirs.decision_function(ours.features(new).numpy())
    found = ours(new)
    assert (_apart(found)[:, 1] if classes == 2 else found).numpy() == pytest.approx(wanted, abs=1e-6)
    assert found.argmax(1).tolist() == theirs.predict(ours.features(new).numpy()).tolist()


def test_unknown_words_and_padding_count_nowhere():
    tokens, labels = texts()
    model = fitted(MaximumEntropy.Config(bigrams=10, vocab_size=VOCABULARY, num_classes=2), tokens, labels)
    words = tokens[:1, :5]
    padded = torch.cat([words, torch.tensor([[1, 1, 0, 0]])], 1)
    assert torch.equal(model(words), model(padded))
    assert torch.equal(model(torch.ones(1, 4, dtype=torch.int64)), model.offset[None])  # nothing known: the prior


def test_batches_and_a_cut_change_nothing(tmp_path):
    tokens, labels = texts()
    for config in (BagNaiveBayes.Config(bigrams=9), MaximumEntropy.Config(), LinearSvm.Config(features="tf_idf")):
        config = config.derive(vocab_size=VOCABULARY, num_classes=2)
        assert config.build()(tokens).abs().sum() == 0  # before the fit
        method = ClosedForm.Config(model=config, task=Classify.Config()).build(spec=None)
        pieces = Batch(tokens, labels).split(3)

        class Run:
            steps = 3

            def sum_ranks(self, tensors):
                pass

        for piece in pieces:
            method.step(iter([piece]), Run())
        checkpoint.save(tmp_path, checkpoint.Snapshot(step=1, weights={}, states={"method": method.state()}))
        again = ClosedForm.Config(model=config, task=Classify.Config()).build(spec=None)
        again.restore(checkpoint.load_latest(tmp_path)[0].states["method"])
        assert torch.equal(again.model(tokens), fitted(config, tokens, labels)(tokens))


def test_what_cannot_be_fitted_is_refused():
    tokens, labels = texts()
    two = {"vocab_size": VOCABULARY, "num_classes": 2}
    with pytest.raises(ConfigError, match="event_model='bernoulli' takes words that are there or not"):
        BagNaiveBayes.Config(event_model="bernoulli", features="count", **two).build()
    with pytest.raises(DataError, match="of 1 class; expected examples of at least 2"):
        fitted(BagNaiveBayes.Config(**two), tokens, labels * 0)
    with pytest.raises(ConfigError, match="did not converge in max_steps=1; raise max_steps"):
        fitted(MaximumEntropy.Config(max_steps=1, **two), tokens, labels)
    with pytest.raises(ConfigError, match="did not converge in max_steps=1; raise max_steps"):
        fitted(LinearSvm.Config(max_steps=1, **two), tokens, labels)
