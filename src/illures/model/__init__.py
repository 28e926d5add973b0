"""The networks, one module per box of the method's figures, and the weights that ship with the package.

Inference needs no torch: `predictor`, `weights` and `config` do not import it.
May import `faces`, `io` and what is below them.
"""

from illures.model.config import NetworkConfig
from illures.model.predictor import Prediction, Predictor
from illures.model.weights import WeightsInfo, read_weights

__all__ = ["NetworkConfig", "Prediction", "Predictor", "WeightsInfo", "read_weights"]
