"""The data that a published network was trained on: named, and not at hand."""

from __future__ import annotations

from netsmith.core.errors import DataError
from netsmith.core.roles import SourceConfig

__all__ = ["Published"]


class Published:
    """Stands for the data of an imported network: its run knows their schema, and holds no example.

    Predict, export, serve, and explain and similarity with ``--input``, need nothing else.

    Raises:
        DataError: Always: there is nothing to load.
    """

    class Config(SourceConfig):
        """Whose data they are.

        Attributes:
            dataset: A name for people.
            command: What made the run, as a person would type it.
        """

        dataset: str = ""
        command: str = ""

    def __init__(self, config: Published.Config) -> None:
        raise DataError(f"{config.dataset or 'the data of an imported network'} did not come with the weights")
