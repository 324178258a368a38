"""How a gradient becomes a step: optimizers, and schedules of their learning rate."""
