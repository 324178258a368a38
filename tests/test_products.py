"""Every kind's product goes through predict, export and HTTP with equal answers, from the run folder alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

import netsmith
from netsmith.data.cartpole import CartPole
from netsmith.data.digits import Digits
from netsmith.data.gaussian_ring import GaussianRing
from netsmith.data.mnist import Mnist
from netsmith.data.sine_tasks import SineTasks
from netsmith.measure.session import open_session, run_session
from netsmith.serve.app import make_app

SETS = {"data.twin": True, "epochs": 0, "steps": 4, "evaluate_every": 4, "checkpoint_every": 4}
RECIPES = {
    "supervised": ("mlp_digits", {}),
    "distillation": ("distilled_mnist", {"method.teacher_steps": 2, "optimizers.teacher": {"kind": "adam"}}),
    "adversarial": ("gan_gaussians", {}),
    "meta": ("maml_sine", {}),
    "reinforcement": ("a2c_cartpole", {}),
    "closed_form": ("naive_bayes_digits", {}),
}


@pytest.mark.parametrize("kind", RECIPES)
def test_equal_answers_from_the_folder_alone(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, changes = RECIPES[kind]
    netsmith.train(name, sets={**SETS, **changes}, root=tmp_path, notice=pytest.fail)

    def gone(*_: object, **__: object) -> None:
        raise AssertionError("the data was touched")

    for source in (Digits, Mnist, GaussianRing, SineTasks, CartPole):
        monkeypatch.setattr(source, "__init__", gone)

    run = netsmith.load(tmp_path / name)
    network = run.network
    raw = network.example(3)
    predicted = network.predict(raw)
    report = run.export()
    (output, *_) = run_session(open_session(report["path"]), [raw.numpy()])
    exported = network.decode(torch.from_numpy(np.asarray(output)))
    columns = network.spec.inputs.columns if network.spec.inputs.kind == "table" else ()
    rows = [dict(zip(columns, row, strict=True)) for row in raw.tolist()] if columns else raw.tolist()
    body = json.dumps({"inputs": rows}).encode()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=make_app(network))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/predict", content=body, headers={"content-type": "application/json"})

    response = asyncio.run(ask())
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == json.loads(json.dumps(predicted))
    assert _close(exported, predicted)


def _close(one: object, other: object) -> bool:
    """Say whether two predictions are the same: names exactly, numbers to 1e-4."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-4 * max(1.0, abs(one))
    return one == other
