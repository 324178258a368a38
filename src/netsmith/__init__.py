"""netsmith: train, explain, compress, ship and verify neural networks of every classic family.

Five names; what they return has the other verbs as methods. The command line merely calls them.

- :func:`train` trains a recipe, your own recipe file or an ``experiment.json`` in a new run folder::

    run = netsmith.train("mlp_digits", sets={"epochs": 5})
    run = netsmith.train("table_classifier", data="patients.csv")

- :func:`load` opens a run folder; nothing but the folder is needed to predict, explain, export and serve::

    run = netsmith.load("runs/table_classifier")
    run.predict([{"age": 63, "sex": "f"}])
    run.explain("new.csv"); run.export("model.onnx"); run.compress(prune=0.5); run.report()

- :func:`from_module` takes any ``nn.Module`` with an example input::

    network = netsmith.from_module(module, torch.zeros(1, 3, 32, 32), classes=("cat", "dog"))
    network.predict([image]); network.export("model.onnx"); network.measure()

- :func:`import_weights` makes a run of a network of the catalogue with weights that others published::

    run = netsmith.import_weights("resnet50", "resnet50.safetensors")

- :func:`systems` lists the catalogue with the state of its evidence::

    [system["name"] for system in netsmith.systems() if system["status"] == "reproduced"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsmith.api.catalogue import systems
    from netsmith.api.from_module import from_module
    from netsmith.api.importing import import_weights
    from netsmith.api.run import load, train

__all__ = ["from_module", "import_weights", "load", "systems", "train"]
__version__ = "0.1.0"

_HOMES = {
    "from_module": "from_module",
    "import_weights": "importing",
    "load": "run",
    "systems": "catalogue",
    "train": "run",
}


def __getattr__(name: str) -> Any:
    # torch takes over a second to import: a command that only lists or explains itself must not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'netsmith' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"netsmith.api.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
