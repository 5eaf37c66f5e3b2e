"""A small stand-in for TensorFlow Serving: its protocol buffers over gRPC, around a session as it runs one, and its
REST interface in front of that.

It is not that server: no batching, no configuration, and of REST predictions alone. Which status answers which mistake
follows its source (tensorflow_serving/servables/tensorflow/predict_util.cc and get_model_metadata_impl.cc; of REST
tensorflow_serving/util/json_tensor.cc and model_servers/http_server.cc).
"""

import base64
import json
import logging
import re
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

# The status of HTTP for one of gRPC.
HTTP = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "NOT_FOUND": 404, "INTERNAL": 500}


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


class RestServer:
    """The REST interface of a `ModelServer` at an address, for predictions. A context that gives the URL."""

    def __init__(self, address):
        self.address = address

    def __enter__(self):
        self.channel = grpc.insecure_channel(self.address)
        stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, answer = 200, predicted(stub, self.path, body)
                except grpc.RpcError as error:
                    status, answer = HTTP[error.code().name], {"error": error.details()}
                except ValueError as error:  # INVALID_ARGUMENT
                    status, answer = 400, {"error": str(error)}
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *line):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.channel.close()


def predicted(stub, path, body):
    """The answer to a request of REST, as JSON has it; ValueError where it is none."""
    found = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", path)
    asked = json.loads(body)  # NaN is a number in it
    if found is None or not isinstance(asked, dict) or ("inputs" in asked) == ("instances" in asked):
        raise ValueError(f"Malformed request: POST {path}")
    made = predict_pb2.PredictRequest()
    made.model_spec.name, made.model_spec.signature_name = found[1], asked.get("signature_name", "")
    if found[2]:
        made.model_spec.version.value = int(found[2])
    in_rows = "instances" in asked
    given = asked["instances"] if in_rows else asked["inputs"]
    signature = signature_of(stub, made.model_spec)
    if in_rows and isinstance(given[0], dict):
        given = {name: [row[name] for row in given] for name in given[0]}
    given = given if isinstance(given, dict) else dict.fromkeys(signature.inputs, given)
    for name in signature.inputs:
        if name not in given:
            raise ValueError(f"Missing named input: {name} in 'inputs' object.")
        dtype = tf.DType(signature.inputs[name].dtype)
        values = np.array(given[name])  # rows of several lengths are a ValueError
        if values.size and not (dtype == tf.string or np.can_cast(values.dtype, dtype.as_numpy_dtype, "same_kind")):
            raise ValueError(f"JSON Value: {given[name]} is not of expected type: {dtype.name}")
        made.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype))
    outputs = {name: as_json(name, tf.make_ndarray(tensor)) for name, tensor in stub.Predict(made).outputs.items()}
    if len(outputs) == 1:
        (made,) = outputs.values()
    else:
        made = [dict(zip(outputs, row)) for row in zip(*outputs.values())] if in_rows else outputs
    return {"predictions" if in_rows else "outputs": made}


def signature_of(stub, model_spec):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=model_spec, metadata_field=["signature_def"])
    found = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(asked).metadata["signature_def"].Unpack(found)
    name = model_spec.signature_name or "serving_default"
    if name not in found.signature_def:
        raise ValueError(f'Serving signature name: "{name}" not found in signature def')
    return found.signature_def[name]


def as_json(name, values):
    """An output's values: files in base64, other text as it is."""
    if values.dtype != object:
        return values.tolist()
    files = name.endswith("_bytes")
    return [{"b64": base64.b64encode(one).decode()} if files else one.decode() for one in values]
