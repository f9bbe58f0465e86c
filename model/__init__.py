"""What is learned: networks, losses, optimizers, augmentation, fitting and predicting.

Importing this package is cheap; its modules import Keras, and so its backend, when they are imported.
"""

import os
import sys
from typing import Final

IN_TIME: Final = "tensorflow" not in sys.modules
"""What is set below reaches TensorFlow: it was not there yet."""

# Set before Keras or TensorFlow is imported anywhere: every module of this room passes through here first.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
# No ~/.keras/keras.json decides what a network is, as `channels_first` would; nor does what once cut a trial short.
os.environ["KERAS_HOME"] = os.devnull
for _cut in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
    os.environ.pop(_cut, None)
# Its C++ side logs errors that are none; what fails raises a Python exception all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow leaves oneDNN off on CPUs without AVX-512, where it doubles the speed of convolutions.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
