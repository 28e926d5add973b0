"""Dense landmarks: the 478 points of the MediaPipe face mesh, and `find_faces`, which runs detection and landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Num, UInt8

from illures.faces.boxes import are_double
from illures.faces.crop import crop_face, warp
from illures.faces.detect import SCORE, Detection, detect, detect_hard
from illures.faces.matte import person_share
from illures.types import Face

INPUT = 256  # side of the network's input [px]
ENLARGE = 1.5  # region over box, as the network was trained (MediaPipe face_landmarks_detector graph)
PRESENCE = 0.5  # least probability that a face is there
SAME = 0.5  # intersection over the smaller box above which two results are one face
MOST_PASSES = 5
CONVERGED = 0.03  # of the region's side: passes are repeated while the region moves by more
SURE = 0.9  # if no face is as probable as this, harder searches are tried
EYE_OUTER = (33, 263)
# Part of a face's middle that the segmenter of people sees as a person: below the first it is no face if another face
# of the photo is above the second. Of 364 faces in photos the least was 0.46; two rows of windows that detector and
# landmarks were sure of had 0.00, the Moon 0.12. A lone face is believed: one that fills the photo may have 0.
NOBODY, SOMEBODY = 0.2, 0.5


@dataclass(frozen=True)
class Region:
    """An upright square on the face: centre and side [photo px], roll [rad] that makes the eyes level."""

    centre: Float[np.ndarray, "2"]
    side: float
    roll: float


def find_faces(photo: Num[np.ndarray, "height width 3"], smallest: float = 64.0, least: float = PRESENCE) -> list[Face]:
    """Every face of a photo, largest first.

    Args:
        photo: sRGB-encoded RGB; uint8, or float in [0, 1].
        smallest: width of the smallest face searched in a large photo [px].
        least: least score of a face, above 0 and below 1. A low value also finds profiles and faces under hats, and
            sometimes things that are no faces.
    """
    pixels = _as_uint8(photo)
    seen = min(least, SCORE)  # weak detections may still get good landmarks
    faces = landmark_all(pixels, detect(pixels, smallest, seen), least)
    for found in detect_hard(pixels, seen):
        # Faces that are upside down often give a weak wrong detection first.
        if any(face.score >= SURE for face in faces):
            break
        faces = _distinct([*faces, *landmark_all(pixels, found, least)])
    return sorted(faces, key=lambda face: -_extent(face.landmarks))


def find_face_in_crop(image: Num[np.ndarray, "size size 3"]) -> Face | None:
    """The face of an aligned crop; it needs no detector, as its place is known."""
    size = image.shape[0]
    return follow(_as_uint8(image), Region(np.array([(size - 1) / 2] * 2), 1.1 * size, 0.0))


def landmark_all(photo: np.ndarray, found: list[Detection], least: float = PRESENCE) -> list[Face]:
    """Landmarks of each detection, without false and duplicate faces."""
    faces: list[Face] = []
    for detection in found:
        face = follow(photo, region_of_detection(detection), least)
        if face is not None:
            faces.append(face)
    return _people(photo, _distinct(faces))


def follow(photo: UInt8[np.ndarray, "height width 3"], region: Region, least: float = PRESENCE) -> Face | None:
    """Landmarks from a rough region in two or (rarely) more passes; None if there is no face."""
    face = landmark(photo, region)
    for _ in range(MOST_PASSES - 1):
        if face.score < 0.5 * least:
            return None
        region = region_of_landmarks(face.landmarks)
        face = landmark(photo, region)
        if _moved(region, region_of_landmarks(face.landmarks)) < CONVERGED:
            break
    return face if face.score >= least else None


def landmark(photo: UInt8[np.ndarray, "height width 3"], region: Region) -> Face:
    """One pass of the landmark network on a region; the score is the network's own presence."""
    cos, sin = math.cos(region.roll), math.sin(region.roll)
    turn = INPUT / region.side * np.array([[cos, sin], [-sin, cos]])
    matrix = np.concatenate([turn, ((INPUT - 1) / 2 - turn @ region.centre)[:, None]], axis=1)
    image = warp(photo, matrix, INPUT, cv2.BORDER_REPLICATE, rounded=False)
    output = network_outputs(image)
    points = output[0].reshape(478, 3).astype(np.float64)
    # The network has pixel corners at integers.
    flat = (points[:, :2] - 0.5 - matrix[:, 2]) @ np.linalg.inv(turn).T
    depth = -points[:, 2:] * region.side / INPUT
    presence = 1 / (1 + math.exp(-float(output[1].item())))
    return Face(np.concatenate([flat, depth], axis=1).astype(np.float32), presence)


def network_outputs(image: Float[np.ndarray, "256 256 3"]) -> list[np.ndarray]:
    """Points (x, y, z away from the viewer [input px]) and presence logit of an upright face; sRGB in [0, 1]."""
    from illures.faces.network import network

    return network("face_landmarks_detector")(image)


def region_of_detection(found: Detection) -> Region:
    """The region for landmarks, from the box and the line of the eyes."""
    across = found.keypoints[1] - found.keypoints[0]
    box = found.box.reshape(2, 2)
    side = ENLARGE * float((box[1] - box[0]).max())
    return Region(box.mean(0), side, math.atan2(across[1], across[0]))


def region_of_landmarks(landmarks: Float[np.ndarray, "478 3"]) -> Region:
    """The region for the next pass or video frame: bounding box of the points in the face's own axes."""
    points = landmarks[:, :2].astype(np.float64)
    across = points[EYE_OUTER[1]] - points[EYE_OUTER[0]]
    roll = math.atan2(across[1], across[0])
    axes = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    upright = points @ axes
    low, high = upright.min(0), upright.max(0)
    return Region(axes @ ((low + high) / 2), ENLARGE * float((high - low).max()), roll)


def _people(photo: np.ndarray, faces: list[Face]) -> list[Face]:
    """Without faces where nobody is, if there is somebody elsewhere."""
    if len(faces) < 2:
        return faces
    shares = [person_share(photo, crop_face(face, photo.shape[:2])) for face in faces]
    least = NOBODY if max(shares) > SOMEBODY else 0.0
    return [face for face, share in zip(faces, shares, strict=True) if share >= least]


def _moved(a: Region, b: Region) -> float:
    """Distance that a region moved, relative to its side."""
    return max(float(np.linalg.norm(a.centre - b.centre)), abs(a.side - b.side)) / a.side


def _distinct(faces: list[Face]) -> list[Face]:
    """The best result for each face."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if not any(are_double(face, other, SAME) for other in kept):
            kept.append(face)
    return kept


def width_of(face: Face) -> float:
    """Width of the mesh from ear to ear [px]."""
    return float(np.ptp(face.landmarks[:, 0]))


def _extent(landmarks: np.ndarray) -> float:
    return float(np.ptp(landmarks[:, :2], axis=0).max())


def _as_uint8(photo: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    if photo.dtype == np.uint8:
        return photo
    return np.clip(photo * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
