"""ONNX and LiteRT files: the images of `generate` to one grey level, in runtimes that know nothing of TensorFlow."""

import logging
import subprocess
import sys

import click
import keras
import numpy as np
import pytest
from keras import ops

import keras_gans as kg
from keras_gans import conversion, serving, zoo
from keras_gans.data.arrays import read_npz
from keras_gans.errors import ConfigurationError, OutputError, UnsupportedError
from keras_gans.images import to_float
from keras_gans.layers import HashedDropout
from keras_gans.models import dcgan, gan
from keras_gans_cli.app import app
from keras_gans_core import cards

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow alone exports")

FORMATS = ("onnx", "litert")
# One of each kind, in a minute for all; the others, and those whose networks are large, by pytest -m slow.
QUICK = {
    "cgan_mnist": "labels; the error function",
    "classifier_digits": "images to logits",
    "cogan_mnist_edges": "two outputs",
    "dcgan_mnist": "noise to images",
    "deepsim_mnist": "an input and an output of the same name",
    "info_gan_mnist": "the largest of several",
    "video_digits": "images of any size",
    "wgan_gp_text_kjv": "text",
}


def network_of(format, content):
    if format == "onnx":
        pytest.importorskip("onnxruntime", reason="needs the extra onnx")
        return conversion.OnnxNetwork(content)
    pytest.importorskip("ai_edge_litert", reason="needs the extra litert")
    return conversion.LitertNetwork(content)


def need(format):
    for package in {"onnx": ("tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}[format]:
        pytest.importorskip(package, reason=f"needs the extra {format}")


def make_gan(channels=1):
    generator = gan.build_generator((8, 8, channels), 4, units=16)
    generator.set_weights([weight * (8 if weight.ndim > 1 else 1) for weight in generator.get_weights()])
    return kg.GAN(generator, gan.build_discriminator((8, 8, channels), units=4, pieces=2))


def presets():
    readable = [name for name, folder in cards.presets().items() if (folder / "model.keras").exists()]
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in readable]


# Each preset, beside its golden samples


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize("format", FORMATS)
def test_every_preset_makes_its_golden_samples(format, name):
    need(format)
    golden = read_npz(cards.path_of(cards.find(name), "golden.npz"))
    if cards.read_card(cards.find(name))["variant"] == cards.CLASSIFIER:
        classifier = zoo.load_classifier(name)
        inputs, example = {"images": (classifier.input_shape[1:], "uint8")}, {"images": golden["images"][:2]}
        content = serving.CONVERTERS[format][1](
            lambda tensors: {"logits": classifier(to_float(tensors["images"]), training=False)},
            inputs,
            example,
            {"logits": 1e-3},
        )
        made = network_of(format, content)({"images": golden["images"]})
        np.testing.assert_allclose(made["logits"], golden["logits"], rtol=1e-4, atol=1e-4)  # as keras-gans verify
        return
    model, (inputs, outputs) = kg.load(name), zoo.golden_parts(golden)
    free = any(None in field.shape for field in model.input_fields.values())
    size = next(iter(inputs.values())).shape[-3:-1] if free and format == "litert" else None
    made = network_of(format, serving.converted(model, format, size))(inputs)
    for key, wanted in outputs.items():
        values = made[f"output_{key}" if format == "onnx" and key in inputs else key]
        assert values.dtype == wanted.dtype and values.shape == wanted.shape
        different = np.abs(values.astype("int64") - wanted)
        assert different.max() <= model.output_fields[key].tolerance
        assert (different > 0).mean() < 0.001


# Files


@pytest.mark.parametrize("format, ending", [("onnx", ".onnx"), ("litert", ".tflite")])
def test_a_file_has_the_average_in_float32(tmp_path, format, ending):
    need(format)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = kg.DCGAN(dcgan.build_generator((8, 8, 3), 4, base_filters=4), None, ema_decay=0.9)
    model.step.assign(1)  # before training the averages are the weights
    model.ema.set_weights([weight * (8 if weight.ndim > 1 else 1) for weight in model.ema.get_weights()])
    path = kg.export(model, tmp_path / f"gan{ending}", format=format)
    assert path == tmp_path / f"gan{ending}" and [path] == list(tmp_path.iterdir())
    noise = model.noise(5, seed=3)
    made = network_of(format, path.read_bytes())({"noise": noise})["images"]
    wanted = zoo.sampler(model).generate(noise=noise)
    assert np.abs(made.astype("int64") - wanted).max() <= 1
    assert (np.abs(made.astype("int64") - model.generate(noise=noise)) > 1).any()  # in bfloat16
    assert made.std() > 10 > kg.DCGAN(model.generator, None).generate(noise=noise).std()  # without averages: grey


def test_a_folder_gets_a_file(tmp_path):
    need("onnx")
    path = kg.export(make_gan(), tmp_path / "new" / "v1.2", format="onnx")
    assert path == tmp_path / "new" / "v1.2" / "model.onnx" and path.is_file()


def test_an_onnx_file_says_what_it_takes_and_makes_any_number(tmp_path):
    need("onnx")
    import onnxruntime

    model = make_gan(channels=3)
    session = onnxruntime.InferenceSession(kg.export(model, tmp_path / "gan.onnx", format="onnx"))
    about = [[(value.name, value.type, value.shape) for value in values()] for values in
             (session.get_inputs, session.get_outputs)]  # fmt: skip
    assert about == [[("noise", "tensor(float)", ["N", 4])], [("images", "tensor(uint8)", ["N", 8, 8, 3])]]
    for count in (1, 2, 33):
        noise = model.noise(count, seed=count)
        (made,) = session.run(None, {"noise": noise})
        assert np.abs(made.astype("int64") - model.generate(noise=noise)).max() <= 1


RUN_ALONE = """
import sys
import numpy as np
noise, images = np.load(sys.argv[3]), []
if sys.argv[1] == "onnx":
    import onnxruntime
    images = onnxruntime.InferenceSession(sys.argv[2]).run(["images"], {"noise": noise})[0]
else:
    from ai_edge_litert.interpreter import Interpreter
    run = Interpreter(sys.argv[2]).get_signature_runner()
    images = np.concatenate([run(noise=noise[i : i + 1])["images"] for i in range(len(noise))])
np.save(sys.argv[4], images)
assert not {"tensorflow", "keras", "keras_gans"} & set(sys.modules)
"""


@pytest.mark.parametrize("format, ending", [("onnx", ".onnx"), ("litert", ".tflite")])
def test_a_file_runs_without_tensorflow(tmp_path, format, ending):
    need(format)
    model = make_gan()
    path, noise = kg.export(model, tmp_path / f"gan{ending}", format=format), model.noise(3, seed=0)
    np.save(tmp_path / "noise.npy", noise)
    arguments = [format, str(path), str(tmp_path / "noise.npy"), str(tmp_path / "images.npy")]
    done = subprocess.run([sys.executable, "-c", RUN_ALONE, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = np.load(tmp_path / "images.npy").astype("int64")
    assert np.abs(made - model.generate(noise=noise)).max() <= 1


def test_exporting_to_onnx_prints_nothing(tmp_path, capfd, caplog):
    need("onnx")
    level = logging.getLogger("tf2onnx").level
    kg.export(make_gan(), tmp_path / "gan.onnx", format="onnx")
    with pytest.raises(UnsupportedError):
        kg.export(make_unusual(), tmp_path / "unusual.onnx", format="onnx")  # tf2onnx logs what it does not know
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("tf2onnx")]  # TensorFlow has its own
    assert logging.getLogger("tf2onnx").level == level


# Operations that are written in others


def converted(format, function, inputs, **example):
    """What a function makes of an example in `format`, and by itself."""
    need(format)
    about = {name: (values.shape[1:], values.dtype.name) for name, values in example.items() if name in inputs}
    wanted = {name: tensor.numpy() for name, tensor in function(example).items()}
    content = serving.CONVERTERS[format][1](function, about, example, {name: np.inf for name in wanted})
    return network_of(format, content)(example), wanted


@pytest.mark.parametrize("format", FORMATS)
def test_hashed_dropout_drops_the_same_units(format):
    layer, seeds = HashedDropout(0.3, number=3), np.array([0, 1, -1, 2**31 - 1, -(2**31), 12345], "int32")
    x = np.arange(1, 6 * 40 + 1, dtype="float32").reshape(6, 40)
    made, wanted = converted(format, lambda t: {"y": layer([t["x"], t["seeds"]])}, ("x", "seeds"), x=x, seeds=seeds)
    np.testing.assert_array_equal(made["y"] == 0, wanted["y"] == 0)
    np.testing.assert_allclose(made["y"], wanted["y"], rtol=1e-6)
    assert 0.2 < (made["y"] == 0).mean() < 0.4


@pytest.mark.parametrize("format", FORMATS)
def test_low_bits_and_shifts_of_negative_numbers(format):
    numbers = np.array([[-(2**31), -(2**31) + 1, -70000, -65536, -3, -1, 0, 1, 70000, 2**31 - 1]], "int32")

    def function(tensors):
        n = ops.convert_to_tensor(tensors["n"])
        return {"low": ops.bitwise_and(n, 255), "shifted": ops.right_shift(n, 7), "bit": ops.bitwise_and(n, 1)}

    made, wanted = converted(format, function, ("n",), n=numbers)
    for name in wanted:
        np.testing.assert_array_equal(made[name], wanted[name])


@pytest.mark.parametrize("format", FORMATS)
def test_the_largest_of_equal_numbers_is_the_same(format):
    x = np.array([[-0.0, 0.0, -1.0], [0.0, -0.0, -1.0], [2.0, 2.0, -0.0], [-3.0, -2.0, -2.0]], "float32")
    made, wanted = converted(format, lambda t: {"place": ops.argmax(t["x"], axis=-1)}, ("x",), x=x)
    np.testing.assert_array_equal(made["place"], wanted["place"])


@pytest.mark.parametrize("format", FORMATS)
def test_the_error_function_is_exact_to_a_rounding(format):
    x = np.concatenate([np.linspace(-6, 6, 4001), [0.0, -0.0, 1e-9, 40.0, -40.0]]).astype("float32")[None]
    made, wanted = converted(format, lambda t: {"y": ops.erf(t["x"])}, ("x",), x=x)
    np.testing.assert_allclose(made["y"], wanted["y"], rtol=0, atol=6e-7)  # the formula's 1.5e-7, and float32


# What is refused


@keras.saving.register_keras_serializable(package="conversion_tests")
class Unusual(keras.layers.Layer):
    """An operation that neither format has."""

    def call(self, inputs):
        import tensorflow as tf

        return tf.math.betainc(1.0 + 0.0 * inputs, 2.0 + 0.0 * inputs, ops.sigmoid(inputs))


def make_unusual():
    noise = keras.Input((4,))
    return kg.GAN(keras.Model(noise, keras.layers.Reshape((2, 2, 1))(Unusual()(noise))))


@pytest.mark.parametrize("format", FORMATS)
def test_an_operation_that_a_format_lacks_is_named(tmp_path, format):
    need(format)
    with pytest.raises(UnsupportedError, match=r"Received: Betainc\. .*tf_saved_model"):
        kg.export(make_unusual(), tmp_path / "out", format=format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_loops_are_named_and_branches_are_not_loops(format):
    import tensorflow as tf

    x, layer = np.ones((2, 5, 4), "float32"), keras.layers.GRU(3)

    def looped(tensors):
        start = 0, tf.convert_to_tensor(tensors["x"])
        return {"y": tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, 2.0 * y), start)[1]}

    for function in (looped, lambda tensors: {"y": layer(tensors["x"])}):
        with pytest.raises(UnsupportedError, match=r"Received: While\."):
            converted(format, function, ("x",), x=x)

    def branched(tensors):
        y = tf.convert_to_tensor(tensors["x"])
        return {"y": tf.cond(tf.reduce_sum(y) > 0, lambda: 2.0 * y, lambda: y - 1.0)}

    made, wanted = converted(format, branched, ("x",), x=x)
    np.testing.assert_array_equal(made["y"], wanted["y"])


def test_outputs_that_differ_are_refused(monkeypatch):
    need("onnx")
    broken = {**conversion.FORMS, "Round": lambda op, x: x + 2.0}
    monkeypatch.setattr(conversion, "FORMS", broken)
    with pytest.raises(UnsupportedError, match="Expected images as the model makes them, to 1. Received: "):
        serving.converted(make_gan(), "onnx")


@pytest.mark.parametrize("format, module", [("onnx", "onnxruntime"), ("onnx", "tf2onnx"), ("litert", "ai_edge_litert")])
def test_a_missing_extra_is_named_with_its_line(tmp_path, monkeypatch, format, module):
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedError, match=rf"pip install 'keras-gans\[{format}\]'"):
        kg.export(make_gan(), tmp_path / "out", format=format)
    assert not list(tmp_path.iterdir())


def test_wrong_arguments_are_refused(tmp_path):
    model, path = make_gan(), tmp_path / "out"
    for error, arguments in (
        ("'tf_saved_model', 'onnx', 'litert'. Received: 'tflite'", {"format": "tflite"}),
        ("image_size=", {"image_size": (8, 8)}),
        ("any size. Received: \\(8, 8\\) and noise \\(4,\\)", {"format": "onnx", "image_size": (8, 8)}),
    ):
        with pytest.raises(ConfigurationError, match=error):
            kg.export(model, path, **arguments)
    with pytest.raises(ConfigurationError, match=r"ends in \.onnx.*gan\.tflite"):
        kg.export(model, tmp_path / "gan.tflite", format="onnx")
    assert not list(tmp_path.iterdir())


def test_litert_needs_a_size_of_images_that_the_networks_take():
    need("litert")
    images = keras.Input((None, None, 1))
    fields = {"images": kg.fields.Images((None, None, 1))}

    class ToSameSize(kg.AdversarialModel):
        def __init__(self, generator, **options):
            super().__init__(
                generator=generator, batch_fields=fields, input_fields=fields, output_fields=fields, **options
            )

        kept = ("generator",)

    halved = keras.layers.Conv2D(1, 3, 2, padding="same")(images)
    model = ToSameSize(keras.Model(images, ops.tanh(images + keras.layers.UpSampling2D()(halved))))
    with pytest.raises(ConfigurationError, match="images of any size. Pass image_size="):
        serving.converted(model, "litert")
    with pytest.raises(ConfigurationError, match=r"size of images that the networks take\. .*image_size=\(7, 10\)"):
        serving.converted(model, "litert", (7, 10))
    network = network_of("litert", serving.converted(model, "litert", (6, 10)))
    given = np.random.default_rng(0).integers(0, 256, (3, 6, 10, 1), "uint8")
    assert (
        np.abs(network({"images": given})["images"].astype("int64") - model.sample(images=given)["images"]).max() <= 1
    )


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    need("onnx")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="Cannot write"):
        kg.export(make_gan(), tmp_path / "file" / "gan.onnx", format="onnx")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("format, ending", [("onnx", ".onnx"), ("litert", ".tflite")])
def test_the_command_writes_a_file(tmp_path, capfd, format, ending):
    need(format)
    make_gan().save(tmp_path / "gan.keras")
    arguments = ["export", str(tmp_path / "gan.keras"), str(tmp_path / f"gan{ending}"), "--format", format]
    app(arguments, standalone_mode=False)
    assert capfd.readouterr() == (f"wrote {tmp_path / f'gan{ending}'}\n", "")
    assert (tmp_path / f"gan{ending}").stat().st_size > 1000
    with pytest.raises(ConfigurationError, match="any size"):
        app([*arguments, "--image-size", "6x10"], standalone_mode=False)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(click.BadParameter, match="HEIGHTxWIDTH such as 48x64. Received: '6x'"):
        app([*arguments, "--image-size", "6x"], standalone_mode=False)
