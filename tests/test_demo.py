"""The demo without a browser: its controls follow from the fields, and its functions make what the library makes."""

import asyncio
import json
import re

import forked
import keras
import numpy as np
import pytest
import tiny_models
from PIL import Image, ImageSequence

import keras_gans as kg
from keras_gans import sampling
from keras_gans.models import gan
from keras_gans_cli import demo
from keras_gans_cli.demo import drawing, given, page, serving

gradio = pytest.importorskip("gradio", reason="needs the extra demo")
COMMAND = ("-m", "keras_gans_cli.app", "demo")
LATENT = ["seed", "images"]
DIRECTIONS = [f"direction {i}" for i in (1, 2, 3, 4)]
# Of each kind of model: the labels of the controls of each function of its page.
CONTROLS = {
    "noise": {"make": [*LATENT, *DIRECTIONS], "go": ["to seed", "frames on the way", *LATENT], "find": LATENT},
    "classes": {"make": [*LATENT, "labels", *DIRECTIONS]},
    "features": {"make": [*LATENT, "labels 1", "labels 2", *DIRECTIONS]},
    "attributes": {"make": [*LATENT, "labels", *DIRECTIONS]},
    "values": {"make": [*LATENT, "labels", *DIRECTIONS]},
    "mapped": {"make": [*LATENT, "truncation_psi", "truncation_cutoff", *DIRECTIONS]},
    "sentences": {
        "make": [*LATENT, "prompts", *DIRECTIONS],
        "go": ["to seed", "frames on the way", *LATENT, "prompts"],
    },
    "encoder": {"find": LATENT},
    "text": {"make": [*LATENT, *DIRECTIONS]},
    "pairs": {"make": LATENT},
    "maps": {"translate": ["seed"]},
    "two_ways": {"translate": ["way"]},
    "larger": {"upscale": []},
    "clips": {"go_on": ["side", "frames"]},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return dict(zip(CONTROLS, map(kg.load, tiny_models.save(CONTROLS, tmp_path_factory.mktemp("models")))))


def in_a_loop(function, *arguments):
    """What a function returns. Gradio leaves the event loops open that it makes where none is running."""

    async def call():
        return function(*arguments)

    return asyncio.run(call())


def build(models, folder, examples=None):
    """The page of {name: model}."""
    return in_a_loop(page.build, models, folder, {name: (examples or {}).get(name, {}) for name in models})


@pytest.fixture
def called(models, tmp_path):
    """A function that calls one of a page's functions with the values that its controls begin with, but for some."""

    def call(kind, function, examples=None, **changed):
        blocks = build({kind: models[kind]}, tmp_path, {kind: examples or {}})
        event = next(event for event in blocks.fns.values() if event.name == function)
        names = {part.label.replace(" ", "_"): part for part in event.inputs}
        assert set(changed) <= set(names), names
        values = [changed.get(name, part.value) for name, part in names.items()]
        return event.fn(*(value["path"] if isinstance(value, dict) else value for value in values))

    return call


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def written(path):
    """The text in a PNG file."""
    with Image.open(path) as picture:
        return picture.text


def frames(path):
    with Image.open(path) as picture:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]


@pytest.fixture
def upload(tmp_path):
    """A function that writes a file and gives its path."""

    def write(values, name="mine.png"):
        if name.endswith(".gif"):
            kg.latent.animate(values, tmp_path / name)
        else:
            kg.images.save(values, tmp_path / name)
        return str(tmp_path / name)

    return write


def levels(*shape, most=256):
    return np.random.default_rng(0).integers(0, most, shape).astype("uint8")


# Controls


@pytest.mark.parametrize("kind", CONTROLS)
def test_the_controls_follow_from_the_fields(models, tmp_path, kind):
    blocks = build({kind: models[kind]}, tmp_path)
    shown = {
        event.name: [part.label for part in event.inputs if part.visible and not isinstance(part, gradio.File)]
        for event in blocks.fns.values()
    }
    assert {name: shown[name] for name in CONTROLS[kind]} == CONTROLS[kind]
    draws = "noise" in models[kind].input_fields
    assert set(shown) == ({"make", "go"} | ({"find"} & set(shown)) if draws else set(CONTROLS[kind]))
    assert ("find" in shown) == (draws and kind not in ("text", "pairs", "sentences"))


def test_a_slider_with_an_empty_box_is_where_it_began(models, tmp_path):
    blocks = build(models, tmp_path)
    sliders = {part for event in blocks.fns.values() for part in event.inputs if isinstance(part, gradio.Slider)}
    assert {"direction 1", "frames", "frames on the way", "images", "labels"} <= {part.label for part in sliders}
    for part in sliders:
        assert part.preprocess(None) == part.value and part.preprocess(part.maximum) == part.maximum
        with pytest.raises(gradio.Error, match="greater than maximum"):
            part.preprocess(part.maximum + 1)


def test_labels_are_chosen_by_name(called, models):
    def shown(kind, wanted, **chosen):
        file = called(kind, "make", images=4, seed=3, **chosen)
        wanted = models[kind].generate(4, seed=3, labels=wanted)
        np.testing.assert_array_equal(pixels(file), kg.images.grid(wanted))
        return written(file).get("labels")

    assert shown("classes", None) is None
    assert shown("classes", "dog", labels=1) == "dog"
    drawn = models["features"].draw("labels", 4, seed=3)
    assert shown("features", np.stack([drawn[:, 0], [2] * 4], axis=1), labels_2=2) == "any:2"
    assert shown("features", "1:0", labels_1=1, labels_2=0) == "1:0"
    assert shown("attributes", [[0, 0]]) == ""
    assert shown("attributes", "glasses:hat", labels=[1, 0]) == "glasses:hat"
    assert shown("values", [[2.5]], labels=2.5) == "2.5"


def test_names_in_a_menu_are_those_of_the_classes(models, tmp_path):
    blocks = build({"classes": models["classes"]}, tmp_path)
    (menu,) = {part for event in blocks.fns.values() for part in event.inputs if isinstance(part, gradio.Dropdown)}
    assert menu.choices == [("any", -1), ("cat", 0), ("dog", 1), ("<b>", 2)]


# Models that draw their inputs


def test_a_picture_is_that_of_its_seed_and_says_so(called, models):
    file = called("noise", "make", seed=5, images=6)
    np.testing.assert_array_equal(pixels(file), kg.images.grid(models["noise"].generate(6, seed=5))[..., 0])
    assert written(file) == {"model": "noise", "seed": "5", "count": "6"}
    drawn = written(called("noise", "make", seed=None, images=1))["seed"]
    again = called("noise", "make", seed=int(drawn), images=1)
    np.testing.assert_array_equal(pixels(again), models["noise"].generate(1, seed=int(drawn))[0, ..., 0])


def test_a_picture_of_the_same_seed_does_not_replace_another_visitors(called, models):
    cats, dogs = (called("classes", "make", images=4, labels=label) for label in (0, 1))
    for file, name in ((cats, "cat"), (dogs, "dog")):
        np.testing.assert_array_equal(pixels(file), kg.images.grid(models["classes"].generate(4, seed=0, labels=name)))


def test_directions_move_the_latents(called, models):
    model, directions = models["noise"], kg.latent.first_layer_directions(models["noise"])[0]
    file = called("noise", "make", seed=5, images=4, direction_2=-1.5)
    noise = model.noise(4, seed=5) - 1.5 * directions[1]
    np.testing.assert_array_equal(pixels(file), kg.images.grid(model.generate(noise=noise))[..., 0])
    assert written(file)["direction 2"] == "-1.5" and "direction 1" not in written(file)


def test_truncation_and_directions_of_styles(called, models):
    model = models["mapped"]
    file = called("mapped", "make", images=4, truncation_psi="0.5", truncation_cutoff="2")
    wanted = model.generate(4, seed=0, truncation_psi=0.5, truncation_cutoff=2)
    np.testing.assert_array_equal(pixels(file), kg.images.grid(wanted))
    assert written(file)["truncation_psi"] == "0.5"
    components, deviations, _ = kg.latent.style_components(model, 4)
    styles = model.to_styles(4, seed=0, truncation_psi=0.5) + 3.0 * deviations[0] * components[0]
    file = called("mapped", "make", images=4, truncation_psi="0.5", direction_1=3.0)
    np.testing.assert_array_equal(pixels(file), kg.images.grid(model.from_styles(styles)))


def test_text_is_shown_as_lines_too(called, models):
    file, lines = called("text", "make", images=3)
    model = models["text"]
    assert lines.split("\n") == model.output_fields["tokens"].text(model.generate(3, seed=0))
    assert pixels(file).shape == (3 * 16, 8 * 9)


def test_pairs_stand_side_by_side(called, models):
    made = sampling.picture(models["pairs"], models["pairs"].generate(4, seed=0))
    np.testing.assert_array_equal(pixels(called("pairs", "make", images=4)), made[..., 0])


def test_a_prompt_says_what_is_made(called, models):
    file = called("sentences", "make", images=2, prompts="a red hat")
    np.testing.assert_array_equal(
        pixels(file), kg.images.grid(models["sentences"].generate(2, seed=0, prompts="a red hat"))
    )
    assert written(file)["prompts"] == "a red hat"
    assert called("sentences", "make", images=2)  # it begins with words that the model knows


def test_a_walk_goes_to_the_other_seed_and_back(called, models):
    made = frames(called("classes", "go", seed=2, to_seed=7, images=4, frames_on_the_way=5, labels=1))
    assert len(made) == 8
    noise = kg.latent.strips(models["classes"].noise(4, 2), models["classes"].noise(4, 7), 5)
    middle = models["classes"].generate(noise=noise[:, 2], labels="dog")
    # A GIF has 256 colours for each frame, fewer than the image, so that colours move a little.
    assert np.abs(made[2].astype(int) - kg.images.grid(middle)).mean() < 8
    np.testing.assert_array_equal(made[3], made[5])


def test_the_latents_of_an_image_are_searched_for(called, models, upload, monkeypatch):
    monkeypatch.setattr(drawing, "STEPS", 40)
    wanted = models["noise"].generate(seed=[11])[0]
    yours, start, found = called("noise", "find", your_file=upload(wanted))
    np.testing.assert_array_equal(pixels(yours), wanted[..., 0])
    np.testing.assert_array_equal(pixels(start), wanted[..., 0])  # 11 is among the seeds that are tried
    assert np.abs(pixels(found).astype(int) - wanted[..., 0]).max() <= 1  # the start was a minimum already
    encoded = kg.latent.encode(models["encoder"], wanted[None])
    _, start, _ = called("encoder", "find", your_file=upload(wanted))
    np.testing.assert_array_equal(pixels(start), models["encoder"].generate(noise=encoded)[0, ..., 0])


def test_a_search_says_nothing_of_what_it_does_not_use(called, upload, monkeypatch):
    monkeypatch.setattr(drawing, "SEEDS", 2)
    monkeypatch.setattr(drawing, "STEPS", 1)
    file = upload(levels(8, 8, 3))
    assert written(called("mapped", "find", your_file=file, truncation_psi="0.5")[2]) == {"model": "mapped"}
    assert written(called("classes", "find", your_file=file, labels=1)[2]) == {"model": "classes", "labels": "dog"}


def test_images_that_no_file_holds_are_made_and_not_searched_for(tmp_path):
    points = kg.GAN(gan.build_generator((1, 1, 2), 4, units=8), seed=0)
    blocks = build({"points": points}, tmp_path)
    assert {event.name for event in blocks.fns.values()} == {"make", "go"}


# Models that are given images or clips


def test_a_label_map_becomes_an_image(called, models, upload):
    drawn = levels(8, 8, most=3)
    source, result = called("maps", "translate", your_file=upload(drawn[..., None]), seed=4)
    np.testing.assert_array_equal(pixels(source), drawn)
    np.testing.assert_array_equal(pixels(result), models["maps"].translate(drawn, seed=4)[0])
    assert written(result) == {"model": "maps", "seed": "4"}


def test_images_are_translated_both_ways(called, models, upload):
    for way, shape in (("AtoB", (8, 8, 1)), ("BtoA", (8, 8, 3))):
        image = levels(*shape)
        _, result = called("two_ways", "translate", your_file=upload(image), way=way)
        wanted = kg.images.to_pillow(models["two_ways"].translate(image, way)[0])
        np.testing.assert_array_equal(pixels(result), np.asarray(wanted))


class Tinted(kg.model.AdversarialModel):
    """A variant of one's own: grey photographs become coloured ones, and their negatives, in the colour of a label."""

    def __init__(self):
        photo, label = keras.Input((8, 8, 1)), keras.Input((3,))
        made = photo * keras.layers.Reshape((1, 1, 3))(label)
        images = {name: kg.fields.Images((8, 8, 3)) for name in ("tinted", "negatives")}
        super().__init__(
            generator=keras.Model([photo, label], {"tinted": made, "negatives": -made}),
            batch_fields=images,
            input_fields={
                "photos": kg.fields.Images((8, 8, 1)),
                "labels": kg.data.Classes(names=["red", "green", "blue"]),
            },
            output_fields=images,
        )
        self.label_space = self.input_fields["labels"]


def test_a_variant_of_ones_own_has_the_controls_of_its_fields(called, models, upload, monkeypatch):
    monkeypatch.setitem(models, "tinted", Tinted())
    image = levels(8, 8, 1)
    _, result = called("tinted", "translate", your_file=upload(image), labels=1)
    made = pixels(result)
    np.testing.assert_array_equal(made[:, :8, 1], image[..., 0])
    assert made.shape == (8, 16, 3) and written(result) == {"model": "tinted", "seed": "0", "labels": "green"}


def test_an_image_becomes_larger_in_tiles(called, models, upload, monkeypatch):
    image = levels(20, 30, 3)
    monkeypatch.setattr(given, "TILE", 16)
    _, result = called("larger", "upscale", your_file=upload(image))
    np.testing.assert_array_equal(pixels(result), models["larger"].upscale(image)[0])
    small, result = called("larger", "upscale", your_file=upload(image[..., :1]))
    assert pixels(small).shape == (20, 30) and pixels(result).shape == (80, 120)


def test_a_clip_goes_on(called, models, upload):
    clip = levels(5, 8, 8, 1)
    before, after = called("clips", "go_on", your_file=upload(clip, "mine.gif"), frames=4)
    assert len(frames(before)) == 5
    wanted = models["clips"].predict_frames(clip, 4)[0]
    np.testing.assert_array_equal(np.stack(frames(after))[..., :1], wanted)
    _, after = called("clips", "go_on", your_file=upload(clip, "mine.gif"), side="12", frames=2)
    assert frames(after)[0].shape == (12, 12, 3)


def test_uploads_begin_with_the_presets_example(called, models, upload):
    drawn = levels(8, 8, most=3)
    source, _ = called("maps", "translate", {"sources": drawn})
    np.testing.assert_array_equal(pixels(source), drawn)
    before, _ = called("clips", "go_on", {"clips": levels(3, 8, 8, 1)})
    assert len(frames(before)) == 3
    model = kg.load("deepsim_mnist")
    example = demo.examples_of("deepsim_mnist", model)["images"]
    assert example.shape == (28, 28, 1) and example.any()
    assert demo.examples_of("gan_mnist", kg.load("gan_mnist")) == {}
    assert demo.examples_of("mine.keras", models["maps"]) == {}  # a file has no golden samples


def test_an_example_that_no_file_holds_is_left_out(tmp_path, monkeypatch):
    model = kg.load("deepsim_mnist")
    (tmp_path / "strange").mkdir()
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    (tmp_path / "strange" / "card.json").write_text("{}")
    for dtype, there in (("uint8", {"images"}), ("float32", set())):
        np.savez(tmp_path / "strange" / "golden.npz", **{"inputs/images": np.zeros((1, 28, 28, 1), dtype)})
        assert set(demo.examples_of("strange", model)) == there


# The tabs


def tabs(blocks):
    return [part.label for part in blocks.blocks.values() if isinstance(part, gradio.Tab)]


def test_a_tab_has_the_name_without_its_folder_unless_another_has_it_too(models, tmp_path):
    model = models["two_ways"]
    names = ["runs/b.keras", "hf://ada/a", "b\x1b\udcff"]
    assert tabs(build(dict.fromkeys(names, model), tmp_path)) == ["b", "hf://ada/a", "b\\x1b\\udcff"]
    names = ["old/a.keras", "new/a", "new/b"]
    assert tabs(build(dict.fromkeys(names, model), tmp_path)) == ["old/a.keras", "new/a", "b"]


# Errors


def test_errors_are_the_librarys_and_no_html(called, models, upload, tmp_path):
    hidden = tmp_path / "a1b2"
    hidden.mkdir()
    (hidden / "<b>.png").write_text("text")
    grey, drawn, colour = (
        upload(values, name)
        for values, name in (
            (levels(8, 8, 1), "grey.png"),
            (levels(8, 8, 1, most=3), "map.png"),
            (levels(8, 8, 3), "colour.png"),
        )
    )
    odd = upload(levels(3, 9, 9, 1), "odd.gif")
    for kind, function, chosen, message in (
        (
            "maps",
            "translate",
            {"your_file": str(hidden / "<b>.png")},
            "Expected &lt;b&gt;.png to be an image",
        ),
        ("maps", "translate", {"your_file": grey}, "Expected classes from 0 to 2"),
        ("maps", "translate", {}, "Expected a file. Received: none"),
        ("maps", "translate", {"your_file": drawn, "seed": 10**30}, "Expected a seed"),
        ("clips", "go_on", {"your_file": grey}, "Expected an animation of several frames"),
        ("clips", "go_on", {"your_file": odd}, "multiples of 2"),
        ("clips", "go_on", {"your_file": odd, "side": "x"}, "Expected image_size"),
        ("classes", "find", {"your_file": colour}, "cat, dog, &lt;b&gt;"),
        ("mapped", "make", {"truncation_psi": "half"}, "Received: [&#x27;half&#x27;]"),
        ("mapped", "make", {"truncation_cutoff": "1"}, "Expected truncation_psi with truncation_cutoff"),
        ("sentences", "make", {"prompts": ""}, "Expected prompts with a word or more"),
        ("noise", "make", {"images": 0}, "of 1 or more"),
        ("noise", "make", {"images": 2.5}, "of 1 or more"),
        ("noise", "go", {"images": 2**20, "frames_on_the_way": 60}, "at most 256 MiB"),
    ):
        with pytest.raises(gradio.Error) as raised:
            called(kind, function, **chosen)
        assert message in raised.value.message and str(hidden) not in raised.value.message, kind


def test_what_the_library_warns_of_is_shown(called):
    with pytest.warns(UserWarning, match="does not know it: &#x27;green&#x27;"):  # as gradio does outside of a page
        called("sentences", "make", images=1, prompts="a green hat")


def test_a_model_without_a_control_for_its_input_is_refused(models, tmp_path):
    model = models["maps"]
    model.input_fields["sources"] = kg.fields.InstanceMaps((8, 8), 2)
    try:
        with pytest.raises(
            kg.errors.ConfigurationError,
            match="Received: runs/mine, a Pix2Pix, which needs sources.*translate runs/mine ",
        ):
            build({"runs/mine": model}, tmp_path)
        model.input_fields["sources"] = kg.fields.Images((8, 8, 2))
        with pytest.raises(kg.errors.ConfigurationError, match="which needs sources"):
            build({"mine": model}, tmp_path)
    finally:
        model.input_fields["sources"] = kg.fields.LabelMaps((8, 8), 3)


# The server


def test_a_port_in_use_is_an_error_with_a_remedy():
    with serving.listening(0) as server:
        host, port = server.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(kg.errors.ConfigurationError, match=rf"--port {port}: .*in use.*--port 0"):
            serving.listening(port)


def ended(*arguments, cwd, hidden=""):
    """What the command writes to stderr where it ends with code 2; modules in `hidden` are not installed."""
    code = f"import sys; sys.modules.update(dict.fromkeys({hidden.split()!r}))"
    done = forked.run("-c", f"{code}; from keras_gans_cli.app import main; main()", "demo", *arguments, cwd=cwd)
    assert done.returncode == 2 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 10, done.stderr
    return done.stderr


def test_mistakes_end_with_code_2(tmp_path):
    with serving.listening(0) as taken:
        said = ended("gan_mnist", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert "Expected a free port" in said and "--port 0" in said
    assert "Did you mean gan_mnist" in ended("gan_mnsit", "--port", "0", cwd=tmp_path)
    assert "Use kg.zoo.load_classifier" in ended("gan_mnist", "classifier_mnist", "--port", "0", cwd=tmp_path)
    assert "Missing argument" in ended(cwd=tmp_path)


def test_without_the_extra_the_error_says_how_to_install_it(tmp_path):
    assert 'pip install "keras-gans[demo]"' in ended("gan_mnist", cwd=tmp_path, hidden="gradio")


@pytest.fixture(scope="module")
def client(models, tmp_path_factory):
    """A client of the served page."""
    from starlette.testclient import TestClient

    blocks = build({"noise": models["noise"]}, tmp_path_factory.mktemp("served"))
    with TestClient(in_a_loop(serving.application, blocks), base_url="http://127.0.0.1") as client:
        yield client


def test_the_page_may_load_nothing_from_elsewhere(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    links = re.findall(r"""(?:src|href)=["']?(https?://[^"'\s>]*)""", answer.text)
    assert all(link.startswith("http://127.0.0.1") for link in links), links
    config = json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", answer.text, re.S).group(1))
    assert config["analytics_enabled"] is False
    for style in (client.get("/theme.css").text, config["css"]):
        assert "://" not in style.replace("http://www.w3.org", "")
    assert "system-ui" in client.get("/theme.css").text


def test_only_names_of_this_machine_and_its_own_page_are_answered(client):
    assert client.get("/", headers={"host": "localhost:7860"}).status_code == 200
    assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 400
    for origin, code in (("http://127.0.0.1", 200), ("https://elsewhere.example", 403), ("null", 403)):
        sent = client.post("/gradio_api/upload", headers={"origin": origin}, files={"files": ("a.txt", b"text")})
        assert sent.status_code == code, origin
    for path in ("/docs", "/redoc", "/openapi.json", "/monitoring"):
        assert client.get(path).status_code in (403, 404), path
