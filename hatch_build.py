"""Put a copy of ``data/`` into wheels, inside the package that owns it.

An editable install reads ``data/`` itself.
"""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OWNERS = {
    "parts": "fibre",
    "links": "fibre",
    "devices": "transducer",
    "scenarios": "transducer",
    "studies": "transducer",
    "measured": "transducer",
    "materials": "transducer",
}


class DataHook(BuildHookInterface):
    """Map every folder of ``data/`` to ``_data`` inside its owner."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict) -> None:
        """Add the folders, for a standard wheel only."""
        if version == "standard":
            for kind, owner in OWNERS.items():
                build_data["force_include"][f"data/{kind}"] = f"{owner}/_data/{kind}"
