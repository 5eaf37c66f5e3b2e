"""Exports behind a server that speaks TensorFlow Serving's protocol: 1,000 requests, mistakes among them."""

import socket
from collections import Counter
from concurrent import futures

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("SavedModels are TensorFlow's", allow_module_level=True)
pytest.importorskip("tensorflow_serving", reason="the protocol buffers are tensorflow-serving-api's")

import grpc  # noqa: E402
import tensorflow as tf  # noqa: E402
from model_server import ModelServer  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

import keras_gans as kg  # noqa: E402
from keras_gans.models import gan  # noqa: E402

CLIENTS = 4
SEEDS = 24  # that clients ask for
LATENT_DIM = 4


def make_gan(seed):
    keras.utils.set_random_seed(seed)
    generator = gan.build_generator((8, 8, 1), LATENT_DIM, units=16)
    generator.set_weights([weight * (8 if weight.ndim > 1 else 1) for weight in generator.get_weights()])  # contrast
    return kg.GAN(generator)


class Expected:
    """The images of one version, made by `generate`."""

    def __init__(self, model, batches):
        self.of_seeds = model.generate(seed=list(range(SEEDS)))
        self.of_batches = [model.generate(noise=batch) for batch in batches]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder of models, its only model, and the address of a server of that folder."""
    folder = tmp_path_factory.mktemp("models")
    model = make_gan(0)
    kg.export(model, folder / "gan", max_examples=256)
    with ModelServer(folder) as address:
        yield folder, model, address


@pytest.fixture
def stub(served):
    with grpc.insecure_channel(served[2]) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(signature="", version=None, model="gan", **inputs):
    made = predict_pb2.PredictRequest()
    made.model_spec.name, made.model_spec.signature_name = model, signature
    if version is not None:
        made.model_spec.version.value = version
    for key, value in inputs.items():
        made.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return made


def seeds(*values):
    return np.array(values, "int64")


def noise(*shape):
    return np.zeros(shape, "float32")


def images_of(response):
    """The images in a response, whatever its signature."""
    ((key, tensor),) = response.outputs.items()
    if key == "images":
        return tf.make_ndarray(tensor)
    files = tf.make_ndarray(tensor)
    return np.array([tf.io.decode_png(file).numpy() for file in files], "uint8").reshape(-1, 8, 8, 1)


def half_a_tensor():
    tensor = tf.make_tensor_proto(noise(2, LATENT_DIM))
    tensor.tensor_content = tensor.tensor_content[:-1]
    return tensor


def nameless():
    made = request(noise=noise(1, LATENT_DIM))
    made.ClearField("model_spec")
    return made


# What a client may do wrong, and the status that it gets.
MISTAKES = {
    "unknown model": (request(model="dcgan", noise=noise(1, LATENT_DIM)), "NOT_FOUND"),
    "unknown version": (request(version=99, noise=noise(1, LATENT_DIM)), "NOT_FOUND"),
    "no model": (nameless(), "INVALID_ARGUMENT"),
    "unknown signature": (request("tokens", seeds=seeds(0)), "FAILED_PRECONDITION"),
    "no input": (request("from_seed"), "INVALID_ARGUMENT"),
    "wrong input": (request("from_seed", noise=noise(1, LATENT_DIM)), "INVALID_ARGUMENT"),
    "one input more": (request("png", seeds=seeds(0), n=seeds(1)), "INVALID_ARGUMENT"),
    "wrong dtype": (request("from_seed", seeds=np.array([0], "int32")), "INVALID_ARGUMENT"),
    "wrong dtype, noise": (request(noise=np.zeros((1, LATENT_DIM))), "INVALID_ARGUMENT"),
    "wrong shape": (request(noise=noise(3, LATENT_DIM + 1)), "INVALID_ARGUMENT"),
    "wrong rank": (request("png", seeds=np.zeros((2, 1), "int64")), "INVALID_ARGUMENT"),
    "one seed without a batch": (request("png", seeds=np.int64(0)), "INVALID_ARGUMENT"),
    "NaN": (request(noise=np.array([[0.0, 1.0, np.nan, 0.0]], "float32")), "INVALID_ARGUMENT"),
    "infinite numbers": (request(noise=np.full((3, LATENT_DIM), np.inf, "float32")), "INVALID_ARGUMENT"),
    "too many examples": (request(noise=noise(257, LATENT_DIM)), "INVALID_ARGUMENT"),
    "too many seeds": (request("png", seeds=seeds(*range(257))), "INVALID_ARGUMENT"),
    "bytes missing": (request(noise=half_a_tensor()), "INVALID_ARGUMENT"),
    "no protocol buffer": (b"\xff not one", "INTERNAL"),
}


def send_mistake(channel, sent):
    """The name of the status that a wrong request got."""
    send = channel.unary_unary(
        "/tensorflow.serving.PredictionService/Predict",
        request_serializer=lambda made: made if isinstance(made, bytes) else made.SerializeToString(),
    )
    with pytest.raises(grpc.RpcError) as error:
        send(sent)
    return error.value.code().name


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_its_status_and_the_next_request_its_image(served, stub, mistake):
    sent, status = MISTAKES[mistake]
    with grpc.insecure_channel(served[2]) as channel:
        assert send_mistake(channel, sent) == status
    response = stub.Predict(request("from_seed", seeds=seeds(5)))
    np.testing.assert_array_equal(images_of(response), served[1].generate(seed=[5]))


def test_a_stranger_on_the_port_and_a_client_that_leaves_disturb_nobody(served, stub):
    host, port = served[2].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /v1/models/gan HTTP/1.1\r\n\r\n" + bytes(range(256)))
    for _ in range(8):
        stub.Predict.future(request("png", seeds=seeds(*range(200)))).cancel()
    response = stub.Predict(request("from_seed", seeds=seeds(5)))
    np.testing.assert_array_equal(images_of(response), served[1].generate(seed=[5]))


def test_the_metadata_are_the_signatures(stub):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "gan"
    found = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(asked).metadata["signature_def"].Unpack(found)
    inputs = {
        name: [(key, info.dtype, [dim.size for dim in info.tensor_shape.dim]) for key, info in signature.inputs.items()]
        for name, signature in found.signature_def.items()
        if signature.method_name == "tensorflow/serving/predict"
    }
    assert inputs == {
        "serving_default": [("noise", tf.float32.as_datatype_enum, [-1, LATENT_DIM])],
        "from_seed": [("seeds", tf.int64.as_datatype_enum, [-1])],
        "png": [("seeds", tf.int64.as_datatype_enum, [-1])],
    }


def test_the_requests_of_the_warm_up_are_answered(served, stub):
    folder, model, _ = served
    file = folder / "gan" / "1" / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    assert [log.SerializeToString(deterministic=True) for log in logs] == records  # no field that is unknown
    answers = {}
    for log in logs:
        assert log.WhichOneof("log_type") == "predict_log"
        response = stub.Predict(log.predict_log.request)
        assert response.model_spec.name == "gan"
        answers[response.model_spec.signature_name] = images_of(response)
    assert sorted(answers) == ["from_seed", "png", "serving_default"]
    np.testing.assert_array_equal(answers["serving_default"], model.generate(noise=model.noise(1, seed=0)))
    np.testing.assert_array_equal(answers["from_seed"], model.generate(seed=[0]))
    np.testing.assert_array_equal(answers["png"], answers["from_seed"])


def test_a_thousand_requests_while_a_new_version_appears(tmp_path):
    models = {1: make_gan(0), 2: make_gan(1)}
    batches = [models[1].noise(size, seed=size) for size in (1, 2, 3, 8, 32)]
    expected = {version: Expected(model, batches) for version, model in models.items()}
    assert (expected[1].of_seeds != expected[2].of_seeds).any()

    def client(seed, requests, newest):
        """Sends requests, checks each answer, counts them by version and kind; `newest` is what no version may mean."""
        rng = np.random.default_rng(seed)
        counts = Counter()
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            for kind in rng.choice(
                ["serving_default", "from_seed", "png", "mistake"], requests, p=[0.3, 0.3, 0.3, 0.1]
            ):
                if kind == "mistake":
                    sent, status = MISTAKES[rng.choice(list(MISTAKES))]
                    assert send_mistake(channel, sent) == status
                    counts["mistake"] += 1
                    continue
                asked = 1 if rng.random() < 0.2 else None
                if kind == "serving_default":
                    batch = rng.integers(len(batches))
                    response = stub.Predict(request(version=asked, noise=batches[batch]))
                else:
                    batch = rng.integers(SEEDS, size=rng.integers(9))
                    response = stub.Predict(request(kind, version=asked, seeds=batch))
                version = response.model_spec.version.value
                assert response.model_spec.signature_name == kind
                assert version in ({asked} if asked else newest)
                right = expected[version]
                images = right.of_batches[batch] if kind == "serving_default" else right.of_seeds[batch]
                np.testing.assert_array_equal(images_of(response), images)
                counts[version, kind] += 1
        return counts

    kg.export(models[1], tmp_path / "gan", max_examples=256)
    with ModelServer(tmp_path) as address, futures.ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, (0, i), 25, {1}) for i in range(CLIENTS)]
        futures.wait(clients)
        clients += [pool.submit(client, (1, i), 200, {1, 2}) for i in range(CLIENTS)]
        kg.export(models[2], tmp_path / "gan", max_examples=256)
        futures.wait(clients)
        clients += [pool.submit(client, (2, i), 25, {2}) for i in range(CLIENTS)]
        counts = sum((one.result() for one in clients), Counter())
    assert sum(counts.values()) == 1000
    kinds = ("serving_default", "from_seed", "png")
    assert min(counts[version, kind] for version in models for kind in kinds) > 10 and counts["mistake"] > 50
