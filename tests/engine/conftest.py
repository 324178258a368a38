import os

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    # Forked children must not find a thread pool that only their parent has.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch):
    # What a power failure leaves is not tested here, and a sync costs more than the step it protects.
    monkeypatch.setattr(os, "fsync", lambda handle: None)
