"""The networks that find faces give what MediaPipe's own runtime gives."""

import numpy as np
import pytest
from PIL import Image

from clips import ASTRONAUT
from illures.faces.network import network

LITERT = np.load(__file__.replace("test_networks.py", "litert.npz"))
# Side of the input [px], and whether it is in [-1, 1] or in [0, 1].
INPUTS = {
    "face_detector": (128, True),
    "face_detection_full_range": (192, True),
    "face_landmarks_detector": (256, False),
    "selfie_segmentation": (256, False),
}


@pytest.mark.parametrize("name", INPUTS)
def test_outputs_are_those_of_litert(name):
    """Of the photo for which scripts/convert_face_networks.py wrote them."""
    import cv2

    side, signed = INPUTS[name]
    face = np.asarray(Image.open(ASTRONAUT).convert("RGB"))[20:220, 120:320]
    image = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    found = network(name)(2 * image - 1 if signed else image)
    wanted = [LITERT[key] for key in sorted(LITERT.files) if key.startswith(f"{name}.")]
    assert len(found) >= len(wanted) > 0
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.size == theirs.size
        np.testing.assert_allclose(
            ours.ravel(), theirs.ravel(), rtol=0, atol=1e-4 * max(1.0, float(np.abs(theirs).max()))
        )
    assert max(np.abs(theirs).max() for theirs in wanted) > 0.5  # a face and a person are there
