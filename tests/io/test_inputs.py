"""Folders for photos: one each, whatever the names."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from illures.io.inputs import folder_for_each

names = st.sampled_from(["a.jpg", "A.JPG", "a.png", "b.jpg", "a", "a.jpg.png", "a.png-2"])
paths = st.builds(lambda folder, name: Path(folder) / name, st.sampled_from(["x", "y", "z"]), names)


@given(st.lists(paths, unique=True))
def test_every_photo_has_a_folder_of_its_own(sources):
    chosen = folder_for_each(sources, Path("out"))
    assert list(chosen) == sources
    assert len({folder.name.casefold() for folder in chosen.values()}) == len(sources)
    for source, folder in chosen.items():
        assert folder.name == source.stem or folder.name.startswith(source.name)


def test_a_folder_that_is_not_free_is_left_alone():
    source = Path("x/a.jpg")
    assert folder_for_each([source], Path("out"))[source] == Path("out/a")
    chosen = folder_for_each([source], Path("out"), lambda folder, _: folder.name != "a")
    assert chosen[source] == Path("out/a.jpg")
