"""The probe set: small networks, each as a user writes it, that stand for every kind surgery must pass."""

from compress import probe_attention, probe_images, probe_sequences
from compress.probe import Probe, build

__all__ = ["PROBES", "Probe", "build"]

PROBES: dict[str, Probe] = probe_images.PROBES.found | probe_sequences.PROBES.found | probe_attention.PROBES.found
