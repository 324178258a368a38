"""The mathematics labs: exact facts, independent implementations, and remarks that follow from the numbers."""

from __future__ import annotations

import math
import re

import mpmath
