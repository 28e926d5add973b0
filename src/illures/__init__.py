"""illures: inverse rendering of faces: a photo to albedo, normal, light and residual, offline on an ordinary CPU.

Only the public names, each imported from its module when it is first used.
"""

# Nothing is imported with the package: `python -m illures` reads it before it can say how Ctrl-C ends the process.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from illures.decompose.decomposer import Decomposer
    from illures.decompose.decomposition import Decomposition
    from illures.io.photos import load_image, save_image
    from illures.relighting.composite import relight_photo
    from illures.relighting.light import Light
    from illures.relighting.relight import relight

__version__ = "0.1.0"
__all__ = ["Decomposer", "Decomposition", "Light", "load_image", "relight", "relight_photo", "save_image"]

_WHERE = {
    "Decomposer": "illures.decompose.decomposer",
    "Decomposition": "illures.decompose.decomposition",
    "Light": "illures.relighting.light",
    "load_image": "illures.io.photos",
    "relight": "illures.relighting.relight",
    "relight_photo": "illures.relighting.composite",
    "save_image": "illures.io.photos",
}


def __getattr__(name: str) -> object:
    # Imported on first use: `import illures` alone must load nothing heavy.
    if name in _WHERE:
        import importlib

        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'illures' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
