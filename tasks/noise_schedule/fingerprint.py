"""The hashes of what decides the images of noise_schedule and their measurement."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.files import idx
from tasks.noise_schedule import shipped
from tasks.samplers.protocol import sampler_source

if TYPE_CHECKING:
    from tasks.noise_schedule import NoiseSchedule


def fingerprint(options: NoiseSchedule) -> Mapping[str, str]:
    """Hashes of the data, of the networks that measure, and of a plug-in's sampler."""
    found = shipped.fingerprint(options.data, options.features)
    if options.data == "mnist":
        found |= idx.fingerprint()
    elif options.train_images:
        from tasks.noise_schedule.images import order

        found["order of train_images"] = hashlib.sha256(
            order().numpy().astype("<i8").tobytes()
        ).hexdigest()
    return found | sampler_source(options.sampler)
