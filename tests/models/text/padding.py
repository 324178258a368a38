"""What holds for every network on padded texts."""

import torch


def check_padding_learns_nothing(model):
    """Check that of the word vectors those of the text learn, and the padding's does not.

    Returns:
        The gradients of all other parameters by name, finite each.
    """
    output = model(torch.tensor([[5, 6, 7, 8, 0], [0, 0, 0, 0, 0]]))
    assert torch.equal(output[1], model.head.bias)  # an empty text has an answer
    named = dict(model.named_parameters())
    gradients = dict(zip(named, torch.autograd.grad(output.square().sum(), list(named.values())), strict=True))
    embedding = gradients.pop("embedding.weight")
    assert embedding[0].abs().sum() == 0
    assert (embedding[5:9].abs().sum(1) > 0).all()
    for name, gradient in gradients.items():
        assert gradient.isfinite().all(), name
    return gradients
