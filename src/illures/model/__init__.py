"""The networks, one module per box of the method's figures, and the weights that ship with the package.

What is exported here needs no torch: weights run by ONNX Runtime. The modules that define and train networks
(`blocks`, `sfsnet`, `illuresnet`, `network`, `export`) import torch, which the extra `illures[train]` installs.
"""

from illures.model.config import NetworkConfig
from illures.model.predictor import Prediction, Predictor
from illures.model.weights import WeightsInfo, read_weights

__all__ = ["NetworkConfig", "Prediction", "Predictor", "WeightsInfo", "read_weights"]
