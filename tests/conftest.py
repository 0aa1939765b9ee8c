"""Shared devices, all of them asymmetric, so that no transpose and no swap can pass."""

import os

import pytest
from hypothesis import HealthCheck, settings

from cavities import Bath, Mode, Pump, Sideband
from transducer import ElectroOptic
from transducer.validation.judge import Judged, judged

SLOW = [HealthCheck.too_slow]
# what passes once passes again; HYPOTHESIS_PROFILE=explore looks where nobody has looked yet
settings.register_profile(
    "house", deadline=None, max_examples=60, suppress_health_check=SLOW, derandomize=True
)
settings.register_profile("explore", deadline=None, max_examples=60, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

MHZ = 1e6


def reference_device(
    delta_o_hz: float = 0.0, delta_e_hz: float = 0.0, n_wg: float = 0.02, n_int: float = 0.15
) -> ElectroOptic:
    """Return the reference device of the worked numbers: kappa_o/2pi = 200 MHz, kappa_e/2pi = 10 MHz."""
    optical = Mode.from_hz(193.4e12, kappa_ext_hz=0.6 * 200 * MHZ, kappa_int_hz=0.4 * 200 * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=0.8 * 10 * MHZ, kappa_int_hz=0.2 * 10 * MHZ)
    return ElectroOptic.from_hz(
        optical,
        microwave,
        g0_hz=100.0,
        microwave_waveguide=Bath(n_wg),
        microwave_internal=Bath(n_int),
        delta_o_hz=delta_o_hz,
        delta_e_hz=delta_e_hz,
    )


def pumped(device: ElectroOptic, cooperativity: float, sideband: Sideband = Sideband.RED) -> Pump:
    """Return a pump with this cooperativity."""
    return device.pump_for(cooperativity, Pump(0.0, sideband=sideband))


@pytest.fixture
def device() -> ElectroOptic:
    return reference_device()


@pytest.fixture(scope="session")
def all_claims() -> list[Judged]:
    """Every claim of every shipped paper, judged once."""
    return judged()
