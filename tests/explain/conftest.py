import pytest
import torch
from torch import nn


class SmallNet(nn.Module):
    """Convolutions, an in-place activation, batch normalization, dropout: everything that can go wrong quietly."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1),
            nn.Softplus(),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6, 3)

    def forward(self, images):
        return self.head(self.dropout(self.pool(self.features(images)).flatten(1)))


class TokenNet(nn.Module):
    """Embeds tokens, mixes them with a mask, and scores."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.mix = nn.GRU(5, 7, batch_first=True)
        self.head = nn.Linear(7, 3)

    def forward(self, inputs):
        hidden, _ = self.mix(self.embedding(inputs["tokens"]))
        mask = inputs["mask"].to(hidden)[..., None]
        return self.head((hidden * mask).sum(1) / mask.sum(1))


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = SmallNet().double()
        module.features[1].running_mean.uniform_(-0.2, 0.2)
        module.features[1].running_var.uniform_(0.5, 2)
    return module.eval()


@pytest.fixture
def images():
    return torch.randn(3, 2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def token_net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TokenNet().double().eval()


@pytest.fixture
def token_batch():
    tokens = torch.randint(1, 11, (4, 6), generator=torch.Generator().manual_seed(2))
    mask = torch.arange(6)[None] < torch.tensor([6, 4, 5, 2])[:, None]
    return {"tokens": tokens * mask, "mask": mask}
