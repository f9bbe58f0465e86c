"""The promoted network at work: pictures, video, a camera; by ONNX Runtime and OpenCV, without TensorFlow or Keras."""
