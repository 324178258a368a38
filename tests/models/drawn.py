"""Networks with numbers of their own in every tensor, so that nothing can be mistaken for another."""

import torch


def shaken(model):
    """Move every parameter and statistic a little; return the network in double precision, in evaluation mode."""
    torch.manual_seed(1)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point():
            tensor.add_(0.1 * torch.randn_like(tensor))
    return model.double().eval()


def random_state(model):
    """Draw all that a network holds, so that no bias and no statistic is zero; return its state."""
    torch.manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(std=0.5)
            if name.endswith(("running_var", "norm.weight")):
                tensor.abs_().add_(0.5)
    return model.state_dict()
