"""What a network says of faces, in the views that `evaluate` in `params.yaml` asks for."""

from typing import TYPE_CHECKING

from model.predicting import predict
from tasks.common.params import Evaluate
from tasks.common.tables import Faces, Predictions

if TYPE_CHECKING:
    import keras


def predict_faces(network: "keras.Model", faces: Faces, params: Evaluate) -> Predictions:
    """Return what the network says of each face, averaged over the views."""
    probabilities = predict(
        network,
        faces.pixels,
        batch_size=params.batch_size,
        flip=params.flip,
        turn=params.turn,
        ten_crop=params.ten_crop,
    )
    return Predictions(faces.row, faces.emotion, probabilities)
