"""Take the faces of a photo apart and put them together again: python examples/01_decompose.py PHOTO."""

import sys

import numpy as np

from illures import Decomposer, load_image, save_image
from illures.math.color import linear_to_srgb

decomposer = Decomposer.from_pretrained()
photo = load_image(sys.argv[1])

for number, face in enumerate(decomposer(photo), 1):
    print(f"face {number}: mean albedo {face.albedo[face.mask > 0.5].mean(axis=0).round(2)}")
    face.save(f"face-{number}.npz")

    # At the photo's own resolution albedo keeps the photo's detail, and the sum is the photo.
    large = face.photo_resolution(photo)
    assert np.allclose(large.reconstruct(), large.image, atol=1e-5)
    save_image(f"face-{number}-albedo.png", linear_to_srgb(large.albedo))
