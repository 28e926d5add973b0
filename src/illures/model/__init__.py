"""The networks, one module per box of the method's figures, and the weights that ship with the package."""

from illures.model.network import Estimate, IlluResSfSNet, NetworkConfig
from illures.model.predictor import Prediction, Predictor
from illures.model.weights import WeightsInfo, load_weights, save_weights

__all__ = [
    "Estimate",
    "IlluResSfSNet",
    "NetworkConfig",
    "Prediction",
    "Predictor",
    "WeightsInfo",
    "load_weights",
    "save_weights",
]
