"""A small stand-in for TensorFlow Serving: its protocol buffers over gRPC, around a session as it runs one.

It is not that server: no batching, no REST, no configuration. Which status answers which mistake follows its source
(tensorflow_serving/servables/tensorflow/predict_util.cc and get_model_metadata_impl.cc).
"""

import logging
import threading
from concurrent import futures
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc


class Version:
    """One version, loaded: a session, whose tensors the signatures name."""

    def __init__(self, path):
        logger = tf.get_logger()
        level = logger.level
        logger.setLevel(logging.ERROR)  # it advises against sessions
        try:
            with tf.Graph().as_default():
                self.session = tf.compat.v1.Session()
                loaded = tf.compat.v1.saved_model.load(self.session, [tf.saved_model.SERVING], str(path))
        finally:
            logger.setLevel(level)
        self.signatures = loaded.signature_def

    def feeds(self, signature, inputs):
        """The tensors that the session is fed, by name; ValueError where they are not those of the signature."""
        if set(inputs) != set(signature.inputs):
            raise ValueError(f"inputs {sorted(inputs)} do not match the signature's {sorted(signature.inputs)}")
        feeds = {}
        for key, info in signature.inputs.items():
            value = tf.make_ndarray(inputs[key])
            if inputs[key].dtype != info.dtype or not tf.TensorShape(info.tensor_shape).is_compatible_with(value.shape):
                raise ValueError(f"{key}: {value.dtype} {value.shape} does not match the signature")
            feeds[info.name] = value
        return feeds


class ModelServer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves the models in `folder`, each in the newest of its versions or in the one that is asked for.

    A context that gives the address.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.loaded = {}
        self.loading = threading.Lock()

    def __enter__(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self.server)
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        return f"127.0.0.1:{port}"

    def __exit__(self, *error):
        self.server.stop(grace=None).wait()
        for version in self.loaded.values():
            version.session.close()

    def find(self, request, context):
        """The number of the version that the request means, and the version."""
        if not request.HasField("model_spec"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
        spec = request.model_spec
        paths = {int(path.name): path for path in self.folder.glob(f"{spec.name}/*") if path.name.isdigit()}
        number = spec.version.value if spec.HasField("version") else max(paths, default=None)
        if not spec.name or number not in paths:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name} {number}")
        with self.loading:
            if paths[number] not in self.loaded:
                self.loaded[paths[number]] = Version(paths[number])
        return number, self.loaded[paths[number]]

    def Predict(self, request, context):
        number, version = self.find(request, context)
        name = request.model_spec.signature_name or "serving_default"
        if name not in version.signatures:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        signature = version.signatures[name]
        try:
            feeds = version.feeds(signature, request.inputs)
        except (TypeError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        try:
            outputs = version.session.run({key: info.name for key, info in signature.outputs.items()}, feeds)
        except tf.errors.OpError as error:  # the session's status is the answer's
            status = next(status for status in grpc.StatusCode if status.value[0] == error.error_code)
            context.abort(status, error.message)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = request.model_spec.name, name
        response.model_spec.version.value = number
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def GetModelMetadata(self, request, context):
        if list(request.metadata_field) != ["signature_def"]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Expected metadata_field signature_def")
        number, version = self.find(request, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = number
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.signatures)
        response.metadata["signature_def"].Pack(signatures)
        return response
