"""Faces in photos: detection, dense landmarks, the aligned crop, contour, mask, normals of the mesh and the guide.

Prepares all inputs that the network needs of a photo.
May import `io` and what is below it.
"""

from illures.faces.context import CONTEXT, crop_context, photo_context, thumbnail
from illures.faces.contour import contours, draw_contour, points68
from illures.faces.crop import (
    Rect,
    alignment,
    at_size,
    bounds,
    check_photo,
    crop_face,
    extract,
    extract_float,
    in_photo,
    in_sight,
    inside,
    inverse,
    padded,
    scale_of,
    to_crop,
    to_photo,
    upright,
)
from illures.faces.crop_fields import feather, feathered, warped
from illures.faces.guide import guide_normals
from illures.faces.landmarks import find_face_in_crop, find_faces, width_of
from illures.faces.mask import face_mask, painted_over, skin_mask, soften
from illures.faces.mesh import mesh_mask, mesh_normals

__all__ = [
    "CONTEXT",
    "Rect",
    "alignment",
    "at_size",
    "bounds",
    "check_photo",
    "contours",
    "crop_context",
    "crop_face",
    "draw_contour",
    "extract",
    "extract_float",
    "face_mask",
    "feather",
    "feathered",
    "find_face_in_crop",
    "find_faces",
    "guide_normals",
    "in_photo",
    "in_sight",
    "inside",
    "inverse",
    "mesh_mask",
    "mesh_normals",
    "padded",
    "painted_over",
    "photo_context",
    "points68",
    "scale_of",
    "skin_mask",
    "soften",
    "thumbnail",
    "to_crop",
    "to_photo",
    "upright",
    "warped",
    "width_of",
]
