"""Other people's methods: small random files of their published layout, and their own words for frames and lights."""

import pickle
import sys

import cv2
import numpy as np
import pytest

from balls import ball, lamp, sphere_mesh
from illures.errors import InputError
from illures.evaluate.methods import our_contenders, rival_contenders
from illures.math.color import linear_to_srgb
from illures.math.normals import angular_error_deg, normalize, turn
from illures.render import shade

torch = pytest.importorskip("torch")
torch.set_num_threads(1)


def test_names_and_folders_of_rivals_are_checked(tmp_path):
    with pytest.raises(InputError, match=r"rivals 'nobody=x': must be sfsnet=FOLDER"):
        rival_contenders(["nobody=x"])
    with pytest.raises(InputError, match="no such folder"):
        rival_contenders([f"dpr={tmp_path / 'away'}"])
    with pytest.raises(InputError, match=r"holds no \*\.safetensors or"):
        rival_contenders([f"sfsnet={tmp_path}"])
    with pytest.raises(InputError, match="same name"):
        our_contenders([tmp_path / "a" / "x.safetensors", tmp_path / "b" / "x.safetensors"])


@pytest.fixture(scope="module")
def sfsnet_state():
    from illures.evaluate.methods.sfsnet_network import SfSNet

    torch.manual_seed(0)
    return SfSNet().state_dict()


def test_sfsnet_reads_both_ways_of_naming_its_layers(tmp_path, query, sfsnet_state):
    from safetensors.torch import save_file

    from illures.evaluate.methods.sfsnet import load

    named = {name: value.contiguous() for name, value in sfsnet_state.items() if "tracked" not in name}
    for folder in ("torch", "caffe"):
        (tmp_path / folder).mkdir()
    torch.save({"state_dict": {f"module.{k}": v for k, v in named.items()}}, tmp_path / "torch" / "SfSNet.pth")
    caffe = {}
    for name, value in named.items():
        parts = name.split("_res")
        norm = "bn" in name.split(".")[-2]
        if len(parts) == 2:  # n_res3.bnr.weight is nbn3r in the Caffe model
            block, layer, kind = parts[1].split(".")
            name = f"{parts[0]}{layer.removesuffix('r')}{block}{'r' if layer.endswith('r') else ''}.{kind}"
        if not (norm and name.endswith((".weight", ".bias"))):  # ones and zeros, which Caffe does not have
            caffe[name] = value
    save_file(caffe, tmp_path / "caffe" / "SfSNet.safetensors")
    one, other = (load(tmp_path / folder).estimate(query) for folder in ("torch", "caffe"))
    assert np.isfinite(one.normal).all() and one.light.shape == (9, 3) and one.relight is not None
    assert np.allclose(one.normal, other.normal, atol=1e-5) and np.allclose(one.light, other.light, atol=1e-5)


def test_files_that_do_not_fit_say_what_is_wrong(tmp_path, sfsnet_state):
    from illures.evaluate.methods.sfsnet import load

    lacking = {name: value for name, value in sfsnet_state.items() if name != "fc_light.weight"}
    torch.save(lacking, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth: lacks the tensor fc_light\.weight"):
        load(tmp_path)
    torch.save({**lacking, "fc_light.weight": torch.zeros(27, 64)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"fc_light\.weight has shape \(27, 64\); must be \(27, 128\)"):
        load(tmp_path)
    with (tmp_path / "a.pth").open("wb") as file:
        pickle.dump({"conv1.weight": pytest.raises}, file)  # a name that is code
    with pytest.raises(InputError, match="not a readable weights file"):
        load(tmp_path)


def test_sfsnet_frame_and_light_are_those_of_its_own_shading():
    from illures.evaluate.methods.sfsnet import from_sfsnet_frame
    from illures.math import sh

    rng = np.random.default_rng(3)
    theirs, light = normalize(rng.normal(size=(50, 3))), rng.normal(size=(9, 3))
    x, y, z = theirs.T
    # normal_harmonics.m and lambertian_attenuation.m of their release.
    one, four, five = np.pi, 2 * np.pi / 3, np.pi / 4
    basis = np.stack(
        [
            one * np.sqrt(1 / (4 * np.pi)) * np.ones_like(x),
            *(four * np.sqrt(3 / (4 * np.pi)) * v for v in (z, x, y)),
            five / 2 * np.sqrt(5 / (4 * np.pi)) * (2 * z**2 - x**2 - y**2),
            *(five * 3 * np.sqrt(5 / (12 * np.pi)) * v for v in (x * z, y * z)),
            five * 3 * np.sqrt(5 / (48 * np.pi)) * (x**2 - y**2),
            five * 3 * np.sqrt(5 / (12 * np.pi)) * x * y,
        ],
        axis=-1,
    )
    assert np.allclose(shade(from_sfsnet_frame(theirs), sh.from_sfsnet(light)), basis @ light, atol=1e-6)


def test_dpr_has_the_names_of_its_published_file_and_keeps_colours(tmp_path, query):
    from illures.evaluate.methods.dpr import load
    from illures.evaluate.methods.dpr_network import Hourglass

    torch.manual_seed(0)
    state = Hourglass().state_dict()
    names = ("pre_conv.weight", "HG3.upper.shortcuts.weight", "HG3.middle.middle.middle.middle.post_FC2.weight")
    assert {*names, "HG0.low1.bn1.running_mean", "light.predict_relu1.weight", "output.bias"} <= state.keys()
    assert state["HG3.middle.middle.middle.low1.conv1.weight"].shape == (155, 64, 3, 3)
    (tmp_path / "trained_model").mkdir()
    torch.save(state, tmp_path / "trained_model" / "trained_model_03.t7", _use_new_zipfile_serialization=False)
    estimate = load(tmp_path).estimate(query)
    assert estimate.normal is None and estimate.albedo is None and np.isfinite(estimate.light).all()
    relit = linear_to_srgb(estimate.relight(lamp(0.5, 0, 0.8)))
    lab, before = (cv2.cvtColor(v.astype(np.float32), cv2.COLOR_RGB2Lab) for v in (relit, query.photo))
    inside = (slice(40, 56), slice(40, 56))
    bright = (lab[inside][..., 0] > 25) & (lab[inside][..., 0] < 75)  # elsewhere colours leave the gamut
    assert bright.any() and np.abs(lab[inside][bright][:, 1:] - before[inside][bright][:, 1:]).mean() < 5


def geomconsistent_state():
    """Random tensors by the names of the published network."""
    state = {}

    def conv(name, inputs, outputs, side, transposed=False, norm=True):
        shape = (inputs, outputs, side, side) if transposed else (outputs, inputs, side, side)
        kind = "deconv" if transposed else "conv"
        state[f"{kind}_{name}.weight"], state[f"{kind}_{name}.bias"] = 0.05 * torch.randn(shape), torch.zeros(outputs)
        if norm:
            for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
                state[f"bn_{name}.{part}"] = torch.full((outputs,), float(value))

    conv("c1_og", 3, 16, 5)
    for level, (i, o) in enumerate(((16, 16), (16, 32), (32, 64), (64, 155)), start=1):
        conv(f"h{level}_1", i, o, 3), conv(f"h{level}_2", o, o, 3)
        if level > 1:
            conv(f"shortcut_h{level - 1}_out", i, o, 3)
    for part, out in (("albedo", 3), ("depth", 1)):
        for level, (i, o) in zip((5, 6, 7, 8), ((128, 64), (64, 32), (32, 16), (16, 16)), strict=True):
            conv(f"{part}_h{level}_1", i, o, 3, True), conv(f"{part}_h{level}_2", o, o, 3, True)
            conv(f"{part}_skip_s{level - 4}_1", o, o, 3), conv(f"{part}_skip_s{level - 4}_2", o, o, 3)
        conv(f"{part}_shortcut_all_features", 128, 64, 3, True)
        conv(f"{part}_shortcut_h5_out", 64, 32, 3, True), conv(f"{part}_shortcut_h6_out", 32, 16, 3, True)
        conv(f"{part}_c2_1", 16, 16, 3), conv(f"{part}_c2_2", 16, 16, 1), conv(f"{part}_c2_3", 16, 16, 1)
        conv(f"{part}_c2_o", 16, out, 1, norm=False)
    for name, (i, o) in (("linear_SL1", (27, 128)), ("linear_SL2", (128, 4))):
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.randn(o, i) / i, torch.zeros(o)
    return state


def test_geomconsistent_runs_from_its_layer_names(tmp_path, query):
    from illures.evaluate.methods.geomconsistent import load

    torch.manual_seed(0)
    state = geomconsistent_state()
    torch.save(state, tmp_path / "model_epoch99.pth")
    estimate = load(tmp_path).estimate(query)
    assert np.isfinite(estimate.normal).all() and np.isfinite(estimate.albedo).all() and estimate.relight is not None
    assert estimate.albedo.min() >= 0 and estimate.albedo.max() <= 1
    del state["conv_h4_2.weight"]
    torch.save(state, tmp_path / "model_epoch99.pth")
    with pytest.raises(InputError, match=r"lacks the tensor conv_h4_2\.weight"):
        load(tmp_path)


def test_geomconsistent_depth_rises_toward_the_viewer():
    from illures.evaluate.methods.geomconsistent import depth_normals, lamp_and_ambient

    y, x = np.mgrid[:256, :256].astype(np.float32)
    ramp = depth_normals(0.5 * (x - 128))  # higher at image right: it faces left
    assert angular_error_deg(ramp[128, 128].astype(float), normalize(np.array([-0.5, 0, 1.0]))) < 2
    assert depth_normals(0.5 * (128 - y))[128, 128, 1] < -0.3  # higher above: it faces down
    light = lamp_and_ambient(np.array([0.3, 0.6, 0.0, 0.8], np.float32))
    along, across = (shade(np.array(n), light)[0] for n in ([0.6, 0, 0.8], [0, 1.0, 0]))
    assert along > 0.3 + 0.4 and across == pytest.approx(0.3, abs=0.1)


def check_ball(estimate):
    """A ball before the camera: its middle faces the viewer, its sides their side."""
    rows, columns = np.nonzero(np.isfinite(estimate.normal).all(-1))
    middle = rows.mean().round().astype(int), columns.mean().round().astype(int)
    reach = (columns.max() - columns.min()) // 3
    n = estimate.normal
    assert n[middle][2] > 0.95
    assert n[middle[0], middle[1] + reach, 0] > 0.4 and n[middle[0], middle[1] - reach, 0] < -0.4
    assert n[middle[0] - reach, middle[1], 1] > 0.4 and n[middle[0] + reach, middle[1], 1] < -0.4


def test_3ddfa_reads_its_repository(tmp_path, query):
    onnx = pytest.importorskip("onnx")
    from illures.evaluate.methods.tddfa import load

    vertices, triangles = sphere_mesh(1.0, [0, 0, 0])
    vertices = vertices * [1, -1, 1]  # theirs: y up
    camera = np.array([[40, 0, 0, 60], [0, 40, 0, 60], [0, 0, 40, 0]], np.float32)
    numbers = np.concatenate([camera.ravel(), np.zeros(50, np.float32)])[None]
    output = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, 62])
    image = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, 120, 120])
    node = onnx.helper.make_node("Constant", [], ["output"], value=onnx.numpy_helper.from_array(numbers))
    graph = onnx.helper.make_graph([node], "small", [image], [output])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    (tmp_path / "weights").mkdir()
    (tmp_path / "configs").mkdir()
    onnx.save(model, tmp_path / "weights" / "mb1_120x120.onnx")
    count = 3 * len(vertices)
    modes = {"w_shp": np.zeros((count, 40), np.float32), "w_exp": np.zeros((count, 10), np.float32)}
    pickles = {
        "param_mean_std_62d_120x120": {"mean": np.zeros(62, np.float32), "std": np.ones(62, np.float32)},
        "bfm_noneck_v3": {"u": vertices.reshape(-1, 1).astype(np.float32), **modes},
        "tri": np.ascontiguousarray(triangles.T),
    }
    for name, content in pickles.items():
        (tmp_path / "configs" / f"{name}.pkl").write_bytes(pickle.dumps(content))
    check_ball(load(tmp_path).estimate(query))
    (tmp_path / "configs" / "tri.pkl").write_bytes(pickle.dumps({"tri": pytest.raises}))
    with pytest.raises(InputError, match=r"tri\.pkl: not a pickle of arrays"):
        load(tmp_path)


ENCODERS = """
import torch
class ResnetEncoder(torch.nn.Module):
    def __init__(self, outsize):
        super().__init__()
        self.layers = torch.nn.Linear(1, outsize)
    def forward(self, images):
        return self.layers(images.mean(dim=(1, 2, 3))[:, None])
"""
FLAME = """
import numpy as np, torch
class FLAME(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        file = np.load(config.flame_model_path)
        self.v_template, self.faces_tensor = torch.from_numpy(file["v"]), torch.from_numpy(file["f"])
    def forward(self, shape_params, expression_params, pose_params):
        return self.v_template[None], None, None
"""
CONFIG = """
class Node(dict):
    __getattr__ = dict.__getitem__
cfg = Node(model=Node(n_shape=100, n_tex=50, n_exp=50, n_pose=6, n_cam=3, n_light=27, flame_model_path={path!r}))
"""


def test_deca_runs_the_code_in_its_folder(tmp_path, query, monkeypatch):
    from illures.evaluate.methods.deca import load

    for name in [name for name in sys.modules if name.startswith("decalib")]:
        monkeypatch.delitem(sys.modules, name)
    for folder in ("decalib/models", "decalib/utils", "data"):
        (tmp_path / folder).mkdir(parents=True)
    vertices, triangles = sphere_mesh(0.1, [0, 0, 0])
    with (tmp_path / "data" / "generic_model.pkl").open("wb") as file:
        np.savez(file, v=(vertices * [1, -1, 1]).astype(np.float32), f=triangles)
    (tmp_path / "decalib/models/encoders.py").write_text(ENCODERS)
    (tmp_path / "decalib/models/FLAME.py").write_text(FLAME)
    (tmp_path / "decalib/utils/config.py").write_text(CONFIG.format(path=str(tmp_path / "data" / "generic_model.pkl")))
    bias = torch.zeros(236)
    bias[206:209] = torch.tensor([6.0, 0.0, 0.0])  # the camera comes after shape, texture, expression and pose
    state = {"layers.weight": torch.zeros(236, 1), "layers.bias": bias}
    torch.save({"E_flame": state, "E_detail": {}}, tmp_path / "data" / "deca_model.tar")
    check_ball(load(tmp_path).estimate(query))
    for name in [name for name in sys.modules if name.startswith("decalib")]:
        monkeypatch.delitem(sys.modules, name)


def test_the_tensorflow_models_need_tensorflow_and_find_their_axes(tmp_path, monkeypatch):
    from illures.evaluate.methods.inverse_face_render import best_axes, load

    monkeypatch.setitem(sys.modules, "tensorflow", None)
    (tmp_path / "ckpt_00000.meta").write_bytes(b"")
    with pytest.raises(InputError, match="needs TensorFlow: pip install tensorflow"):
        load(tmp_path)
    mesh = ball()
    swapped = turn(mesh, np.array([[0, -1, 0], [0, 0, 1], [1, 0, 0]], np.float32))
    assert np.allclose(swapped @ best_axes(swapped, mesh).T.astype(np.float32), mesh, atol=1e-6)
