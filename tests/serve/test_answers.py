"""What is served equals what predict says, for every kind of input."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import html
import io
import json
import re
import threading
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from serve_networks import NETWORKS, Client
from torch import Tensor, nn

from netsmith.api.network import Network, from_module
from netsmith.core.errors import UnsupportedError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.serve.app import make_app


def picture(height: int, width: int, mode: str = "L", kind: str = "PNG") -> bytes:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels, mode=None).save(stream, kind)
    return stream.getvalue()
