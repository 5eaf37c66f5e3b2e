"""Exports: the images of `generate` to the last grey level, whole versions or none, nothing of ours to run them."""

import logging
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans import serving
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError, OutputError, UnsupportedError
from keras_gans.models import biggan, dcgan, gan, style_gan2
from keras_gans.networks.mapping import build_mapping

needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="SavedModels are TensorFlow's")

RUN_ALONE = """
import sys
import numpy as np
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
seeds = tf.constant([3, 1, 3], "int64")
np.savez(
    sys.argv[2],
    images=signatures["from_seed"](seeds=seeds)["images"].numpy(),
    png=[tf.io.decode_png(png).numpy() for png in signatures["png"](seeds=seeds)["png_bytes"]],
)
assert "keras_gans" not in sys.modules
"""

EXPORT_FOR_EVER = """
import sys
import keras
import keras_gans as kg
model = keras.saving.load_model(sys.argv[1])
while True:
    print(kg.export(model, sys.argv[2]).name, flush=True)
"""


def enlarge(network, factor):
    """Networks start with small kernels, which make grey images: this brings out contrast, and rounding with it."""
    network.set_weights([weight * (factor if weight.ndim > 1 else 1) for weight in network.get_weights()])
    return network


def make_gan():
    generator = enlarge(gan.build_generator((8, 8, 1), 4, units=16), 8)
    return kg.GAN(generator, gan.build_discriminator((8, 8, 1), units=4, pieces=2))


def make_dcgan_with_average():
    """A DCGAN whose averages differ from the weights that train."""
    generator = dcgan.build_generator((8, 8, 3), 4, base_filters=4)
    model = kg.DCGAN(generator, dcgan.build_discriminator((8, 8, 3), base_filters=4), ema_decay=0.9)
    enlarge(model.ema, 8)
    model.step.assign(1)  # before training the averages are the weights
    return model


def make_generator(channels):
    """A GAN without a discriminator, of images 4 high and 6 wide."""
    return kg.GAN(enlarge(gan.build_generator((4, 6, channels), 4, units=8), 8))


def translating(**options):
    """A Pix2Pix of a tiny generator, 8x8 sources to 8x8 images."""
    source = keras.Input((8, 8, options.get("source_classes", 1)))
    seeds = keras.Input((), dtype="int32")
    number = keras.layers.Reshape((1,))(keras.ops.cast(seeds, "float32") / 2.0**31)
    noise = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(number))
    made = keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(source + noise)
    return kg.Pix2Pix(keras.Model([source, seeds], made), seed=0, **options)


class ToSameSize(kg.AdversarialModel):
    """A generator from images to images of the same size, which may be any."""

    def __init__(self, generator):
        fields = {"images": kg.fields.Images(generator.input_shape[1:])}
        super().__init__(generator=generator, batch_fields=fields, input_fields=fields, output_fields=fields)


def signatures_of(version):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(version))
    signatures_of.alive = loaded  # a signature does not keep its variables alive
    return loaded.signatures


def images_of_seeds(signatures, seeds):
    import tensorflow as tf

    return signatures["from_seed"](seeds=tf.constant(seeds, "int64"))["images"].numpy()


def generated(model, **inputs):
    """The images of `generate`, with the statistics of batch norm that an export has."""
    with standing_statistics(model):
        return model.generate(**inputs)


@pytest.fixture(params=[make_gan, make_dcgan_with_average])
def model(request):
    keras.utils.set_random_seed(0)
    return request.param()


# Signatures


@needs_tensorflow
def test_from_seed_is_generate(model, tmp_path):
    signatures = signatures_of(kg.export(model, tmp_path))
    for seeds in ([0], [7, 7], [5, 0, -1, 2**62, -(2**63)], list(range(20))):
        images = images_of_seeds(signatures, seeds)
        assert images.dtype == "uint8" and len(np.unique(images)) > 10
        np.testing.assert_array_equal(images, generated(model, seed=seeds))


@needs_tensorflow
def test_the_same_seed_twice_is_the_same_image_and_another_is_not(model, tmp_path):
    first, second, third = images_of_seeds(signatures_of(kg.export(model, tmp_path)), [4, 4, 5])
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


@needs_tensorflow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_an_image_does_not_depend_on_its_batch(tmp_path, policy):
    # At the paper's size one row goes through another matrix kernel than several: in bfloat16 that moves pixels of
    # several of these images by a grey level, if a batch is decoded as a whole.
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    model = kg.GAN(enlarge(gan.build_generator((28, 28, 1)), 2))
    signatures = signatures_of(kg.export(model, tmp_path))
    seeds = list(range(48))
    together = model.generate(seed=seeds)
    for size in (1, 3, 48):
        batches = [seeds[i : i + size] for i in range(0, len(seeds), size)]
        served = [images_of_seeds(signatures, batch) for batch in batches]
        np.testing.assert_array_equal(np.concatenate(served), together)
        generated = [model.generate(seed=batch) for batch in batches]
        np.testing.assert_array_equal(np.concatenate(generated), together)


@needs_tensorflow
@pytest.mark.parametrize("count", [1, 5])
def test_the_default_signature_takes_the_inputs(model, tmp_path, count):
    import tensorflow as tf

    noise = model.noise(count, seed=1)
    serve = signatures_of(kg.export(model, tmp_path))["serving_default"]
    images = serve(noise=tf.convert_to_tensor(noise))["images"]
    np.testing.assert_array_equal(images.numpy(), generated(model, noise=noise))


@needs_tensorflow
def test_the_average_is_exported(tmp_path):
    keras.utils.set_random_seed(0)
    model = make_dcgan_with_average()
    images = images_of_seeds(signatures_of(kg.export(model, tmp_path)), [0, 1])
    without = kg.DCGAN(model.generator, model.discriminator)
    assert (images != without.generate(seed=[0, 1])).any()


@needs_tensorflow
def test_png_is_the_same_image_as_a_file(model, tmp_path):
    import tensorflow as tf

    signatures = signatures_of(kg.export(model, tmp_path))
    files = signatures["png"](seeds=tf.constant([2, 0], "int64"))["png_bytes"]
    assert files.shape == (2,) and files.dtype == tf.string
    assert all(file.numpy().startswith(b"\x89PNG") for file in files)
    decoded = np.stack([tf.io.decode_png(file).numpy() for file in files])
    np.testing.assert_array_equal(decoded, generated(model, seed=[2, 0]))


@needs_tensorflow
@pytest.mark.parametrize("channels", [2, 4, 5])
def test_png_is_left_out_where_it_cannot_hold_the_channels(tmp_path, channels):
    import tensorflow as tf

    model = make_generator(channels)
    signatures = signatures_of(kg.export(model, tmp_path))
    assert images_of_seeds(signatures, [0]).shape == (1, 4, 6, channels)
    if channels == 5:
        assert sorted(signatures) == ["from_seed", "serving_default"]
    else:
        (file,) = signatures["png"](seeds=tf.constant([0], "int64"))["png_bytes"]
        np.testing.assert_array_equal(tf.io.decode_png(file).numpy()[None], model.generate(seed=[0]))


@needs_tensorflow
def test_signatures_are_as_documented(tmp_path):
    import tensorflow as tf

    signatures = signatures_of(kg.export(make_generator(3), tmp_path))
    found = {
        name: [
            {key: (spec.dtype, spec.shape.as_list()) for key, spec in specs.items()}
            for specs in (signature.structured_input_signature[1], signature.structured_outputs)
        ]
        for name, signature in signatures.items()
    }
    seeds, images = {"seeds": (tf.int64, [None])}, {"images": (tf.uint8, [None, 4, 6, 3])}
    assert found == {
        "serving_default": [{"noise": (tf.float32, [None, 4])}, images],
        "from_seed": [seeds, images],
        "png": [seeds, {"png_bytes": (tf.string, [None])}],
    }


@needs_tensorflow
def test_no_seeds_give_no_images(tmp_path):
    import tensorflow as tf

    signatures = signatures_of(kg.export(make_generator(1), tmp_path))
    assert images_of_seeds(signatures, []).shape == (0, 4, 6, 1)
    assert signatures["png"](seeds=tf.constant([], "int64"))["png_bytes"].shape == (0,)


@needs_tensorflow
def test_bfloat16_models_export(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make_dcgan_with_average()
    seeds = [0, 1, 2]
    images = images_of_seeds(signatures_of(kg.export(model, tmp_path)), seeds)
    np.testing.assert_array_equal(images, generated(model, seed=seeds))


@needs_tensorflow
def test_training_after_an_export_leaves_it_alone(tmp_path):
    keras.utils.set_random_seed(0)
    model = make_gan()
    version = kg.export(model, tmp_path)
    before = model.generate(seed=[0, 1])
    enlarge(model.generator, 2)
    np.testing.assert_array_equal(images_of_seeds(signatures_of(version), [0, 1]), before)
    assert (model.generate(seed=[0, 1]) != before).any()


@needs_tensorflow
def test_an_export_runs_without_this_library(model, tmp_path):
    version = kg.export(model, tmp_path / "served")
    subprocess.run([sys.executable, "-c", RUN_ALONE, version, tmp_path / "out.npz"], check=True, cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["images"], generated(model, seed=[3, 1, 3]))
        np.testing.assert_array_equal(out["png"], out["images"])


# The requests that warm a server up: what is in them stands in test_serving_under_load.py


@pytest.mark.parametrize(
    ("length", "encoded"),
    # Seven bits a byte, the lowest first: 150 and 300 as on protobuf.dev/programming-guides/encoding.
    [(0, "00"), (127, "7f"), (128, "8001"), (150, "9601"), (300, "ac02"), (16383, "ff7f"), (16384, "808001")],
)
def test_lengths_of_fields(length, encoded):
    # Field 2 with a length has the tag 2 * 8 + 2.
    assert serving._field(2, b"x" * length) == bytes.fromhex("12" + encoded) + b"x" * length


@needs_tensorflow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_request_to_each_signature_in_the_folders_name(tmp_path, policy):
    import tensorflow as tf

    keras.config.set_dtype_policy(policy)
    version = kg.export(make_gan(), tmp_path / "digits")
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    for record, signature in zip(records, [b"serving_default", b"from_seed", b"png"], strict=True):
        assert b"\n\x06digits\x1a" + bytes([len(signature)]) + signature in record
    noise = tf.make_tensor_proto(make_gan().noise(1, seed=0), "float32")
    assert noise.SerializeToString() in records[0]


@needs_tensorflow
def test_a_model_that_translates_exports_what_it_takes_and_gives(tmp_path):
    """Label maps to images, with dropout by seeds, which `from_seed` draws as `generate` does."""
    import tensorflow as tf

    model = translating(source_classes=3)
    signatures = signatures_of(kg.export(model, tmp_path))
    assert sorted(signatures) == ["from_seed", "png", "serving_default"]
    maps, seeds = np.random.default_rng(0).integers(0, 3, (3, 8, 8)).astype("uint8"), [5, 0, -1]
    wanted = model.generate(seed=seeds, sources=maps)
    assert (wanted[0] != wanted[1]).any()
    asked = {"sources": tf.constant(maps), "seeds": tf.constant(seeds, "int64")}
    np.testing.assert_array_equal(signatures["from_seed"](**asked)["targets"], wanted)
    (first, *_) = signatures["png"](**asked)["png_bytes"]
    np.testing.assert_array_equal(tf.io.decode_png(first), wanted[0])
    drawn = {"sources": maps, "seeds": model.draw("seeds", seed=seeds)}
    asked = {name: tf.constant(values) for name, values in drawn.items()}
    served = signatures["serving_default"](**asked)["targets"]
    np.testing.assert_array_equal(served, model.sample(**drawn)["targets"])


@needs_tensorflow
def test_settings_that_may_be_left_out_have_a_signature_of_their_own(tmp_path):
    import tensorflow as tf

    networks = style_gan2.build_generator((8, 8, 3), 4, widths=(4, 4)), None, build_mapping(4, 4, depth=1)
    model = kg.StyleGAN2(*networks)
    model.style_average.average.assign([1.0, 0.0, -1.0, 0.5])
    signatures, seeds = signatures_of(kg.export(model, tmp_path)), [5, 0, -1]
    assert sorted(signatures) == ["from_seed", "png", "serving_default", "with_settings"]
    served = signatures["from_seed"](seeds=tf.constant(seeds, "int64"))["images"]
    np.testing.assert_array_equal(served, model.generate(seed=seeds))
    settings = {"truncation_psi": np.float32([0.5, 0.0, 1.0]), "truncation_cutoff": np.int32([4, 2, 1])}
    asked = {name: tf.constant(values) for name, values in settings.items()}
    served = signatures["with_settings"](seeds=tf.constant(seeds, "int64"), **asked)["images"]
    np.testing.assert_array_equal(served, model.generate(seed=seeds, **settings))
    served = signatures["serving_default"](noise=tf.constant(model.noise(2, seed=0)))["images"]
    np.testing.assert_array_equal(served, model.generate(2, seed=0))


@needs_tensorflow
def test_truncated_noise_is_served(tmp_path):
    import tensorflow as tf

    model = kg.BigGAN(biggan.build_generator((8, 8, 3), 4, base_filters=4, embedding_size=2, attention_height=0), None)
    serve, seeds = signatures_of(kg.export(model, tmp_path))["with_settings"], [5, 0, -1]
    given = {"labels": np.array([3, 1, 4]), "truncation": np.float32([0.5, 0.0, 9.0])}
    asked = {"seeds": tf.constant(seeds, "int64"), **{name: tf.constant(values) for name, values in given.items()}}
    np.testing.assert_array_equal(serve(**asked)["images"], model.generate(seed=seeds, **given))
    below = {**asked, "truncation": tf.constant([0.5, -0.5, 0.5])}
    assert "truncation (N,), numbers of 0 or more" in answers(serve, below)


@needs_tensorflow
def test_images_of_any_size_are_served_and_examples_of_the_data_warm_up(tmp_path):
    import tensorflow as tf

    generator = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3, padding="same")])
    model = ToSameSize(generator)
    serve = signatures_of(kg.export(model, tmp_path))["serving_default"]
    for size in ((4, 6), (9, 5)):
        images = np.random.default_rng(0).integers(0, 256, (2, *size, 1)).astype("uint8")
        found = serve(images=tf.constant(images))["images"]
        np.testing.assert_array_equal(found, model.sample(images=images)["images"])
    model.shown_examples = {"images": images}
    version = kg.export(model, tmp_path)
    (record, *_) = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    assert images[:1].tobytes() in record.numpy()


# What a request may not ask for


def labelled(space):
    keras.utils.set_random_seed(0)
    return kg.zoo.sampler(kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=space))


def answers(signature, inputs):
    """What a signature makes of arrays, or the text of the error that a server would answer with."""
    import tensorflow as tf

    try:
        (made,) = signature(**{name: tf.constant(values) for name, values in inputs.items()}).values()
    except tf.errors.InvalidArgumentError as error:
        return error.message
    return made.numpy()


NOISE = np.float32([[0.0, 1.0, -1.0, 2.0], [0.5, 0.0, 3.0, -0.5]])


@needs_tensorflow
@pytest.mark.parametrize(
    "space, right, wrong, said",
    [
        (kg.data.Classes(3, names=["cat", "dog", "owl"]), [0, 2], [0, 3], r"labels: whole numbers from 0 to 2 \(cat"),
        (kg.data.Classes(3), [1, 1], [-1, 0], "labels: whole numbers from 0 to 2"),
        (kg.data.Classes(2, 3), [[1, 2], [0, 0]], [[1, 2], [2, 0]], "from 0 to 1, 2 in 2 columns"),
        (kg.data.Attributes(2), [[0, 1], [1, 1]], [[0, 1], [2, 0]], "labels: "),
        (kg.data.Values(1, low=0.1, high=0.7), [[0.1], [0.7]], [[0.1], [0.71]], "labels: numbers from 0.1 to 0.7"),
        (kg.data.Values(1, low=0.1, high=0.7), [[0.4], [0.7]], [[0.1], [np.nan]], "finite numbers in labels"),
    ],
    ids=["above", "below", "in one column", "attributes", "values", "NaN"],
)
def test_labels_that_are_none_get_an_error_and_the_next_request_its_images(space, right, wrong, said, tmp_path):
    model = labelled(space)
    signatures = signatures_of(kg.export(model, tmp_path))
    dtype, seeds = model.input_fields["labels"].dtype, np.array([5, 6])
    for signature, inputs in (("serving_default", {"noise": NOISE}), ("from_seed", {"seeds": seeds})):
        message = answers(signatures[signature], {**inputs, "labels": np.array(wrong, dtype)})
        assert "assertion failed: [Expected" in message
        assert re.search(said, message)
        asked = {"seed": seeds.tolist()} if "seeds" in inputs else inputs
        found = answers(signatures[signature], {**inputs, "labels": np.array(right, dtype)})
        np.testing.assert_array_equal(found, generated(model, **asked, labels=right))


@needs_tensorflow
@pytest.mark.parametrize(
    "signature, inputs, said",
    [
        (
            "serving_default",
            {"noise": NOISE + np.float32([[0, 0, np.nan, 0]]), "labels": [0, 1]},
            "finite numbers in noise",
        ),
        ("serving_default", {"noise": np.full_like(NOISE, np.inf), "labels": [0, 1]}, "finite numbers in noise"),
        ("serving_default", {"noise": NOISE[:, :3], "labels": [0, 1]}, "incompatible"),
        ("serving_default", {"noise": NOISE, "labels": [0]}, "the same number of examples under each name"),
        ("from_seed", {"seeds": [1, 2, 3], "labels": [0, 1]}, "the same number of examples under each name"),
        ("from_seed", {"seeds": [1, 2, 3, 4], "labels": [0, 1, 0, 1]}, "at most 3 examples"),
        ("png", {"seeds": [1, 2, 3, 4], "labels": [0, 1, 0, 1]}, "at most 3 examples"),
    ],
    ids=["NaN", "infinite", "shape", "one label", "two labels", "four examples", "four files"],
)
def test_a_request_that_no_model_can_answer_gets_an_error_and_the_next_one_its_images(
    signature, inputs, said, served_digits
):
    model, signatures = served_digits
    assert said in answers(signatures[signature], {name: np.array(values) for name, values in inputs.items()})
    found = answers(signatures["from_seed"], {"seeds": np.array([7, 8, 9]), "labels": np.array([0, 1, 1])})
    np.testing.assert_array_equal(found, generated(model, seed=[7, 8, 9], labels=[0, 1, 1]))


@pytest.fixture(scope="module")
def served_digits(tmp_path_factory):
    """A conditional model, and the signatures of its export, for up to three examples."""
    model = labelled(kg.data.Classes(2))
    signatures = signatures_of(kg.export(model, tmp_path_factory.mktemp("digits"), max_examples=3))
    alive = signatures_of.alive
    yield model, signatures
    del alive


@needs_tensorflow
def test_settings_and_label_maps_have_bounds_too(tmp_path):
    networks = style_gan2.build_generator((8, 8, 3), 4, widths=(4, 4)), None, build_mapping(4, 4, depth=1)
    serve = signatures_of(kg.export(kg.StyleGAN2(*networks), tmp_path / "styles"))["with_settings"]
    asked = {"seeds": np.array([1]), "truncation_psi": np.float32([0.5]), "truncation_cutoff": np.int32([1])}
    assert answers(serve, asked).shape == (1, 8, 8, 3)
    assert "finite numbers in truncation_psi" in answers(serve, {**asked, "truncation_psi": np.float32([np.nan])})
    assert "truncation_cutoff (N,), whole numbers from 0 to 4" in answers(
        serve, {**asked, "truncation_cutoff": np.int32([5])}
    )
    serve = signatures_of(kg.export(translating(source_classes=3), tmp_path / "maps"))["from_seed"]
    maps = np.zeros((1, 8, 8), "uint8")
    assert answers(serve, {"sources": maps, "seeds": np.array([1])}).shape == (1, 8, 8, 1)
    assert "whole numbers from 0 to 2" in answers(serve, {"sources": maps + np.uint8(3), "seeds": np.array([1])})


@needs_tensorflow
def test_a_request_may_ask_for_more_examples_than_are_computed_at_once_unless_there_is_a_limit(tmp_path):
    signatures = signatures_of(kg.export(make_gan(), tmp_path))
    many = serving.sampling.BATCH + 44  # a server may join requests into batches of up to 1,000
    assert answers(signatures["from_seed"], {"seeds": np.arange(many)}).shape == (many, 8, 8, 1)


@needs_tensorflow
@pytest.mark.parametrize("options", [{"max_examples": 0}, {"max_examples": 2.5}, {"format": "onnx", "max_examples": 3}])
def test_a_number_of_examples_that_cannot_be_is_refused(options, tmp_path):
    with pytest.raises(ConfigurationError, match="Expected max_examples of 1 or more, for a SavedModel"):
        kg.export(make_gan(), tmp_path / "gan", **options)
    assert not list(tmp_path.iterdir())


# The folder


@needs_tensorflow
def test_the_layout_is_that_of_tensorflow_serving(tmp_path):
    version = kg.export(make_generator(1), tmp_path / "models" / "gan")
    assert version == tmp_path / "models" / "gan" / "1"
    assert {path.name for path in version.iterdir()} >= {"saved_model.pb", "variables", "assets", "assets.extra"}
    assert list(version.parent.iterdir()) == [version]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert version.stat().st_mode == plain.stat().st_mode  # a server under another user may read it


@needs_tensorflow
def test_versions_count_up(tmp_path):
    model = make_generator(1)
    assert [kg.export(model, str(tmp_path)).name for _ in range(3)] == ["1", "2", "3"]
    for name in ("12", "007", "v40", "1.5", ".99"):
        (tmp_path / name).mkdir()
    assert kg.export(model, tmp_path) == tmp_path / "13"


@needs_tensorflow
def test_a_version_published_meanwhile_is_kept(tmp_path, monkeypatch):
    rename = Path.rename

    def beaten(path, target):
        if target.name == "1":
            (target / "variables").mkdir(parents=True)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", beaten)
    assert kg.export(make_generator(1), tmp_path) == tmp_path / "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


@needs_tensorflow
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, OSError, "full disk"])
def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch, failure):
    import tensorflow as tf

    kg.export(make_generator(1), tmp_path / "old")
    before = sorted(tmp_path.rglob("*"))
    whole = tf.saved_model.save

    def fail_midway(module, path, **kwargs):
        whole(module, path, **kwargs)
        (Path(path) / "saved_model.pb").unlink()
        full_disk = tf.errors.ResourceExhaustedError(None, None, "No space left on device")
        raise full_disk if failure == "full disk" else failure("midway")

    monkeypatch.setattr(tf.saved_model, "save", fail_midway)
    expected = OutputError if failure in (OSError, "full disk") else failure
    for folder in (tmp_path / "old", tmp_path / "new" / "gan"):
        with pytest.raises(expected):
            kg.export(make_generator(1), folder)
        assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.undo()
    assert kg.export(make_generator(1), tmp_path / "old").name == "2"


@needs_tensorflow
def test_a_presets_name_is_no_model(tmp_path):
    with pytest.raises(ConfigurationError, match=r"Received: 'dcgan_mnist'.*kg.load"):
        kg.export("dcgan_mnist", tmp_path)


@needs_tensorflow
def test_a_version_that_cannot_be_published(tmp_path, monkeypatch):
    def refuse(path, target):
        raise PermissionError("not here")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="not here"):
        kg.export(make_generator(1), tmp_path)
    assert not list(tmp_path.iterdir())


@needs_tensorflow
@pytest.mark.parametrize("room", [100, 20_000])  # bytes of a file: too few for the weights, for the graph
def test_a_disk_without_room(tmp_path, room):
    resource = pytest.importorskip("resource")
    model = make_generator(1)
    version = kg.export(model, tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(OutputError, match="Cannot write to"):
            kg.export(model, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [version]
    np.testing.assert_array_equal(images_of_seeds(signatures_of(version), [0, 1]), generated(model, seed=[0, 1]))
    assert kg.export(model, tmp_path).name == "2"


@needs_tensorflow
@pytest.mark.skipif(os.name != "posix", reason="folders cannot be opened")
def test_the_disk_holds_a_version_before_it_appears(tmp_path, monkeypatch):
    flushed, left = set(), []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(descriptor):
        fsync(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    def watched_rename(path, target):
        left.extend(part.name for part in (path, *path.rglob("*")) if part.stat().st_ino not in flushed)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    files = [path for path in kg.export(make_generator(1), tmp_path).rglob("*") if path.is_file()]
    assert len(flushed) > len(files) and left == []


@needs_tensorflow
def test_a_reader_sees_whole_versions_while_two_processes_export_and_one_is_killed(tmp_path):
    keras.utils.set_random_seed(0)
    ours, theirs = make_generator(1), make_generator(1)
    seeds = [0, 1, 2]
    images = {"ours": ours.generate(seed=seeds), "theirs": theirs.generate(seed=seeds)}
    assert (images["ours"] != images["theirs"]).any()
    theirs.save(tmp_path / "theirs.keras")
    folder = tmp_path / "served"
    done, seen = threading.Event(), {}

    def versions():
        return {int(path.name) for path in folder.glob("*") if path.name.isdigit()}

    def read():
        """What a server does: looks often, and loads the newest at once."""
        while not done.wait(0.01):
            newest = max(versions(), default=None)
            if newest not in {None, *seen}:
                seen[newest] = images_of_seeds(signatures_of(folder / str(newest)), seeds)

    command = [sys.executable, "-c", EXPORT_FOR_EVER, tmp_path / "theirs.keras", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as exporter, ThreadPoolExecutor(1) as pool:
        try:
            reader = pool.submit(read)
            by_them = [int(exporter.stdout.readline())]
            by_us = [int(kg.export(ours, folder).name) for _ in range(3)]
        finally:
            exporter.kill()  # wherever it is
            done.set()
        reader.result()
        by_them += [int(line) for line in exporter.stdout]
    said = by_us + by_them
    assert len(seen) >= 2 and len(said) == len(set(said))
    assert versions() >= set(said) and len(versions()) <= len(said) + 1  # one may be killed before it could say
    for version in versions():
        if version not in seen:
            seen[version] = images_of_seeds(signatures_of(folder / str(version)), seeds)
        np.testing.assert_array_equal(seen[version], images["ours" if version in by_us else "theirs"])
    assert kg.export(ours, folder).name == str(len(seen) + 1)


@needs_tensorflow
@pytest.mark.parametrize("folder", ["file", "file/gan"])
def test_a_folder_that_cannot_be_written_to(tmp_path, folder):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="Cannot write to .*Choose a folder"):
        kg.export(make_generator(1), tmp_path / folder)
    assert (tmp_path / "file").read_text() == "kept"


@needs_tensorflow
def test_exporting_prints_nothing(tmp_path, capfd, caplog):
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.addHandler(caplog.handler)
    logger.setLevel("INFO")  # as in a notebook, where TensorFlow announces what it writes
    try:
        kg.export(make_generator(1), tmp_path)
        assert logger.getEffectiveLevel() == logging.INFO
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_other_backends_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UnsupportedError, match=r"Received: 'jax'.*\.keras.*KERAS_BACKEND=tensorflow"):
        serving.export(make_generator(1), tmp_path / "served")
    assert not (tmp_path / "served").exists()
