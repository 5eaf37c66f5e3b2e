"""The pages in a real browser, headless Chromium: each kind of model makes its picture, and nothing leaves the machine.

It needs the Python package playwright and Debian's package chromium, which the extra test does not install. For the
page of `keras-gans export --format web` the environment variable ONNXRUNTIME_WEB names the folder dist of the npm
package onnxruntime-web. The pictures of docs/demo/ are made here too:

    SCREENSHOTS=docs/demo python -m pytest tests/test_browser.py -k pictures
"""

import contextlib
import functools
import http.server
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import keras
import numpy as np
import pytest
import tiny_models
from PIL import Image

import keras_gans as kg
from keras_gans_cli import page as static_page

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RUNTIME = os.environ.get("ONNXRUNTIME_WEB", "")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="pages are of the default backend"),
]
needs_gradio = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="needs the extra demo")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
]
WAIT = 120_000  # milliseconds, on a machine that does other work too
FORBIDDEN = "http://127.0.0.1:1/picture.png"  # what a test asks for, and the page may not load
KINDS = ["attributes", "clips", "encoder", "larger", "mapped", "maps", "pairs", "sentences", "text", "two_ways"]
# Runs the command, and notes in a file where this process connects to or asks for. Before it, it tries so itself.
NOTING = """
import contextlib, socket, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[1] if event == "socket.connect" else arguments[0]
        print(event, address[0] if isinstance(address, tuple) else address, file=notes, flush=True)
notes = open(sys.argv.pop(1), "w")
sys.addaudithook(note)
with contextlib.suppress(OSError):
    socket.create_connection(("127.0.0.1", 1))
from keras_gans_cli.app import main
main()
"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page of the browser. In the end all its requests have gone to this machine, and none was forbidden."""
    page, asked, said = browser.new_page(viewport={"width": 1400, "height": 760}), [], []
    page.set_default_timeout(WAIT)
    page.on("request", lambda request: asked.append(urlsplit(request.url)))
    page.on("console", lambda message: said.append(message.text))
    yield page
    page.close()
    assert asked and {url.hostname for url in asked if url.scheme not in ("data", "blob")} == {"127.0.0.1"}
    assert not [text for text in said if "Content Security Policy" in text and FORBIDDEN not in text]


@contextlib.contextmanager
def demo_of(models, folder):
    """Serves the demo of some models: its address, and the file that notes where its process connects to."""
    command = [sys.executable, "-c", NOTING, str(folder / "notes"), "demo", *models, "--port", "0"]
    files = {**os.environ, "TMPDIR": str(folder / "temporary")}
    (folder / "temporary").mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=files) as process:
        try:
            yield process.stdout.readline().split()[0], folder / "notes"
        finally:
            process.terminate()
    assert process.returncode == 0 and not list((folder / "temporary").glob("*")), "uploads and pictures are left"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The demo of a preset and of tiny models."""
    folder = tmp_path_factory.mktemp("demo")
    with demo_of(["cgan_digits", *tiny_models.save(KINDS, folder)], folder) as served:
        yield served


def opened(page, address, name):
    """The part of the demo that shows a model."""
    page.goto(address)
    page.get_by_role("tab", name=name, exact=True).click()
    return page.get_by_role("tabpanel").filter(visible=True).first


def press(part, name):
    part.get_by_role("button", name=name, exact=True).filter(visible=True).click()


def size_of(part, label):
    """(width, height) of the picture with a label, once it is there."""
    picture = part.get_by_test_id("block-label").filter(has_text=label).locator("xpath=..").locator("img")
    picture.wait_for()
    picture.page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    return tuple(picture.evaluate("(image) => [image.naturalWidth, image.naturalHeight]"))


def give(part, path):
    """Uploads a file, and waits until it is there."""
    part.locator("input[type=file]").last.set_input_files(path)
    part.get_by_text(path.stem).first.wait_for()


def image(path, *shape, most=256):
    kg.images.save(np.random.default_rng(0).integers(0, most, shape).astype("uint8"), path)
    return path


@needs_gradio
@pytest.mark.parametrize(
    "kind, size",
    [
        ("cgan_digits", (112, 112)),
        ("attributes", (32, 32)),
        ("mapped", (32, 32)),
        ("sentences", (32, 32)),
        ("encoder", (32, 32)),
        ("text", (72, 256)),
        ("pairs", (64, 32)),
    ],
)
def test_a_model_that_draws_its_inputs_makes_pictures_and_walks(page, served, kind, size):
    part = opened(page, served[0], kind)
    press(part, "Make images")
    assert size_of(part, "images") == size
    part.get_by_role("tab", name="Walk", exact=True).click()
    press(part, "Walk")
    assert size_of(part, "walk") == size


@needs_gradio
@pytest.mark.parametrize(
    "kind, shape, button, label, size",
    [
        ("maps", (8, 8, 1), "Make it", "result", (8, 8)),
        ("two_ways", (20, 30, 1), "Make it", "result", (8, 8)),
        ("larger", (10, 20, 3), "Make it larger", "result", (80, 40)),
        ("clips", (4, 8, 8, 1), "Go on", "how it goes on", (8, 8)),
        ("encoder", (8, 8, 1), "Find it", "what the optimisation finds", (8, 8)),
    ],
)
def test_a_model_makes_something_of_an_upload(page, served, tmp_path, kind, shape, button, label, size):
    part = opened(page, served[0], kind)
    if kind == "encoder":
        part.get_by_role("tab", name="Your image", exact=True).click()
    if kind == "clips":
        path = tmp_path / "mine.gif"
        kg.latent.animate(np.random.default_rng(0).integers(0, 256, shape).astype("uint8"), path)
    else:
        path = image(tmp_path / "mine.png", *shape, most=3 if kind == "maps" else 256)
    give(part, path)
    press(part, button)
    assert size_of(part, label) == size


@needs_gradio
def test_a_downloaded_picture_is_the_librarys_and_says_its_seed(page, served, tmp_path):
    part = opened(page, served[0], "cgan_digits")
    part.get_by_label("labels").click()
    page.get_by_role("option", name="7", exact=True).click()
    part.get_by_label("seed").fill("5")
    with page.expect_response(lambda answer: "seed_5.png" in answer.url):
        press(part, "Make images")
    with page.expect_download() as download:
        part.get_by_role("button", name="Download").filter(visible=True).click()
    assert download.value.suggested_filename == "cgan_digits_seed_5.png"
    download.value.save_as(tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as picture:
        assert picture.text == {"model": "cgan_digits", "seed": "5", "count": "16", "labels": "7"}
        made = np.asarray(picture).astype(int)
    wanted = kg.images.grid(kg.load("cgan_digits").generate(16, seed=5, labels=7))[..., 0]
    assert np.abs(made - wanted).max() <= 1  # another process may divide the work among threads in another way


@needs_gradio
def test_a_slider_moves_the_picture(page, served):
    part = opened(page, served[0], "cgan_digits")
    size_of(part, "images")
    with page.expect_response(lambda answer: "seed_0.png" in answer.url):
        part.get_by_label("range slider for direction 1").fill("2")


@needs_gradio
def test_a_bad_upload_shows_the_librarys_error_and_the_page_goes_on(page, served, tmp_path):
    part = opened(page, served[0], "maps")
    (tmp_path / "notes.txt").write_text("no image")
    give(part, tmp_path / "notes.txt")
    press(part, "Make it")
    page.get_by_text("Expected notes.txt to be an image.").wait_for()
    part.get_by_role("button", name="Clear").first.click()
    give(part, image(tmp_path / "mine.png", 8, 8, 1, most=3))
    press(part, "Make it")
    assert size_of(part, "result") == (8, 8)


@needs_gradio
def test_words_that_a_model_does_not_know_are_named(page, served):
    part = opened(page, served[0], "sentences")
    part.get_by_label("prompts").fill("a green hat")
    page.keyboard.press("Enter")
    page.get_by_text("Left out of the prompts, since the model does not know it: 'green'.").wait_for()


@needs_gradio
def test_nothing_is_loaded_from_elsewhere_and_the_server_asks_nobody(page, served):
    address, notes = served
    size_of(opened(page, address, "cgan_digits"), "images")
    said = page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
          new Image().src = "FORBIDDEN";
        })""".replace("FORBIDDEN", FORBIDDEN)
    )
    assert said == "img-src"
    hosts = {line.split(maxsplit=1)[1].strip() for line in notes.read_text().splitlines()}
    assert hosts == {"127.0.0.1"}, hosts  # which it tried itself


def shoot(page, path, height):
    """Writes a picture of the page, of at most 256 colours."""
    page.set_viewport_size({"width": 1100, "height": height})
    page.screenshot(path=path)
    with Image.open(path) as picture:
        assert picture.size == (1100, height)
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    kg.images.save(few, path, optimize=True)
    assert path.stat().st_size < 150_000


@needs_gradio
def test_pictures_of_the_demo(page, tmp_path):
    """The pictures of docs/demo.md."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path)).absolute()
    with demo_of(["dcgan_avatars", "pix2pix_avatars"], tmp_path) as (address, _):
        part = opened(page, address, "dcgan_avatars")
        size_of(part, "images")
        shoot(page, folder / "images.png", 700)
        part = opened(page, address, "pix2pix_avatars")
        press(part, "Make it")  # of the preset's example
        assert size_of(part, "result") == (64, 64)
        shoot(page, folder / "translation.png", 540)


# The page of `keras-gans export --format web`


@pytest.fixture
def exported(tmp_path):
    """A function that writes the page of a model, and gives its address on a server of files."""
    if static_page.missing_files(RUNTIME):
        pytest.skip("needs ONNXRUNTIME_WEB, the folder dist of the npm package onnxruntime-web")

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    def write(model):
        static_page.write(model, tmp_path, "mine", RUNTIME)
        return f"http://127.0.0.1:{server.server_port}/"

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield write
        server.shutdown()


def drawn(page, count):
    """The images of the page, uint8 (count, height, width, 3), once they are there and it has nothing to say."""
    page.wait_for_function(
        f"""document.querySelectorAll("canvas").length == {count}
        && document.querySelector("[role=status]").textContent == ""
        && !running"""
    )
    levels = page.evaluate(
        """() => [...document.querySelectorAll("canvas")].map((canvas) => {
          const {data, width, height} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return [height, width, [...data]];
        })"""
    )
    return np.array([np.reshape(values, (height, width, 4))[..., :3] for height, width, values in levels])


def test_the_exported_page_makes_the_librarys_images(page, exported):
    model = kg.load("cgan_digits")
    page.goto(exported(model))
    page.locator("#count").fill("4")
    page.locator("select").select_option("7")
    page.locator("#seed").fill("3")
    assert np.abs(drawn(page, 4) - model.generate(4, seed=3, labels=7)).max() <= 1
    page.locator("#other").fill("8")
    page.locator("#far").fill("0.5")
    half = (model.noise(4, seed=3) + model.noise(4, seed=8)) * 0.5**0.5
    assert np.abs(drawn(page, 4) - model.generate(noise=half, labels=7)).max() <= 1
    page.locator("#seed").fill("1.5")
    page.get_by_text("Expected a seed that is a whole number. Received: 1.5.").wait_for()
    page.locator("#seed").fill("")
    half = (model.noise(4, seed=0) + model.noise(4, seed=8)) * 0.5**0.5
    assert np.abs(drawn(page, 4) - model.generate(noise=half, labels=7)).max() <= 1


@pytest.mark.parametrize("kind, label", [("attributes", [[0, 1]]), ("values", [[7.5]])])
def test_the_exported_page_has_controls_for_labels(page, exported, kind, label):
    model = tiny_models.KINDS[kind]()
    page.goto(exported(model))
    if kind == "attributes":
        page.get_by_label("hat").select_option("yes")
    else:
        page.get_by_label("number 1").fill("7.5")
    assert np.abs(drawn(page, 16) - model.generate(16, seed=0, labels=label)).max() <= 1
