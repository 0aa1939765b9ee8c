"""Read a file of unknown origin from end to end, where a hang or a crash hurts nobody.

Run as a script by `transducer.archive`, in a process of its own; it imports nothing of the toolkit.
"""

import json
import sys

LARGEST = 1 << 30
"""Values that one read may ask for; a damaged header can promise any number."""


def look(path: str) -> dict[str, object]:
    """Schema of a file, or what is wrong with it."""
    with open(path, "rb") as raw:
        magic = raw.read(8)
    if magic[:4] in (b"CDF\x01", b"CDF\x02", b"CDF\x05"):
        return {"error": "it is a netCDF-3 file, not HDF5"}
    if magic != b"\x89HDF\r\n\x1a\n":
        return {"error": "it is not an HDF5 file"}
    import h5py

    with h5py.File(path, "r") as file:
        _read(file)
        schema, version = file.attrs.get("schema"), file.attrs.get("schema_version")
        return {
            "schema": schema.decode() if isinstance(schema, bytes) else schema,
            "schema_version": int(version.flat[0]) if hasattr(version, "flat") else version,
        }


def _read(file: object) -> None:
    import h5py

    def visit(_: str, entry: object) -> None:
        dict(entry.attrs)  # type: ignore[attr-defined]
        if isinstance(entry, h5py.Dataset) and entry.shape is not None:
            if entry.size > LARGEST:
                raise ValueError(f"dataset {entry.name} claims {entry.size} values")
            kind = entry.id.get_type()
            usual = (h5py.h5t.IEEE_F64LE, h5py.h5t.IEEE_F32LE, h5py.h5t.IEEE_F32BE)
            if entry.dtype.kind == "f" and not any(kind.equal(k) for k in usual):
                raise ValueError(f"dataset {entry.name} holds numbers of a strange make")
            scale = "CLASS" in entry.attrs  # a dimension without values of its own
            if entry.dtype.kind == "f" and entry.shape and not (entry.fletcher32 or scale):
                raise ValueError(f"dataset {entry.name} has lost its checksum")
            if entry.chunks is None:
                entry[()]
                return
            for box in entry.iter_chunks():
                entry[box]

    dict(file.attrs)  # type: ignore[attr-defined]
    file.visititems(visit)  # type: ignore[attr-defined]


def main() -> None:
    """Print what was found as one JSON object."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    except (ImportError, ValueError, OSError):
        pass
    try:
        found = look(sys.argv[1])
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, MemoryError) as error:
        found = {"error": str(error) or type(error).__name__}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
