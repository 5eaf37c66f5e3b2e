"""The command demo: a page to play with models, served on this machine to this machine alone.

The controls follow from the fields of a model. What can be drawn comes from a seed; labels, prompts and numbers have
controls of their own; images and clips are uploaded.
"""

import contextlib
import functools
import html
import os
import random
import re
import socket
import tempfile
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from keras_gans_cli.models import model_options, remedy_for_given, sampler
from keras_gans_core.errors import ConfigurationError, DataError, KerasGansError, UnsupportedError

HOST = "127.0.0.1"
# What a browser may load: this server's files, and what the page itself has made.
POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'"
STYLE = ".pixels img { image-rendering: pixelated; width: 100%; height: 100%; object-fit: contain; }"
HEIGHT = 480  # of a picture on the page, in pixels
MOST = 64  # images in one picture
DIRECTIONS, REACH = 4, 3.0  # sliders, and how far they go, in standard deviations of the latents
SEEDS, STEPS = 512, 200  # of an inversion: seeds to start from, steps of the optimisation
TILE = 128  # side of the tiles that are made larger one at a time, in pixels
SECONDS = 30  # that an error is shown
ANY = -1  # in a menu of classes: the label is drawn


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--port",
    default=7860,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Where the page is on this machine; 0 for any port that is free.",
)
@model_options
def demo(names, port):
    """Play with the models NAME (or runs' folders, or .keras files) in the browser, on this machine alone.

    It needs the extra demo: pip install "keras-gans[demo]"
    """
    gradio()
    with contextlib.closing(listening(port)) as server, tempfile.TemporaryDirectory() as folder:
        models = {name: sampler(name)[1] for name in names}
        blocks = page(models, folder)
        click.echo(f"http://{HOST}:{server.getsockname()[1]} shows {', '.join(models)}. Ctrl-C ends it.")
        serve(blocks, server)


def gradio():
    """The package `gradio`, imported at first use and without its telemetry.

    Raises:
        UnsupportedError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise UnsupportedError(
            "Expected the package gradio for the demo. Received: it is not installed. "
            'Install it: pip install "keras-gans[demo]"'
        ) from error
    return gradio


# Serving


def listening(port):
    """A socket on this machine that waits for browsers; port 0 takes any that is free.

    Raises:
        ConfigurationError: the port is in use, or may not be used.
    """
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, port))
        server.listen()
    except OSError as error:
        server.close()
        raise ConfigurationError(
            f"Expected a free port. Received: --port {port}: {error.strerror}. Choose another one; --port 0 takes any "
            "that is free."
        ) from error
    return server


def serve(blocks, server):
    """Serves a page on a socket until Ctrl-C. Only this machine is answered, and the page is told to load nothing from
    elsewhere."""
    import uvicorn

    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(application(blocks), log_level="error")).run(sockets=[server])


def application(blocks):
    """The page as an application that a server of Python's ASGI can run."""
    import fastapi
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    gr = gradio()
    app = fastapi.FastAPI(openapi_url=None)
    font, fixed = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=gr.themes.Default(font=font, font_mono=fixed),
        css=STYLE,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # not a name that leads here
    app.add_middleware(Policy)
    return app


class Policy:
    """Adds `POLICY` to each answer of an application."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def answer(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY)]
            await send(message)

        await self.app(scope, receive, answer)


# The page


def page(models, folder):
    """The page of {name: model}, `gradio.Blocks`: a tab for each.

    Args:
        models: the models by name.
        folder: for uploads, and for the pictures that the page makes.

    Raises:
        ConfigurationError: a model with an input that the page has no control for.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    gr, lock = gradio(), threading.Lock()
    with gr.Blocks(title="keras_gans", analytics_enabled=False) as blocks, gr.Tabs():
        for i, (name, model) in enumerate(models.items()):
            title = Path(name).stem if name.endswith(".keras") else name
            with gr.Tab(title):
                shown = Shown(title, model, Path(folder), Path(folder, "made", str(i)), lock)
                gr.HTML(f"<p>{type(model).__name__}: {' and '.join(model.output_fields)} "
                        f"from {' and '.join(model.input_fields)}</p>")  # fmt: skip
                panel_of(shown)(shown, blocks)
    return blocks


@dataclass
class Shown:
    """A model on the page.

    Attributes:
        name: as it was asked for; of a .keras file without folder and ending.
        model: an `AdversarialModel`.
        uploads, made: folders of the files that come and of those that are made.
        lock: held while any model computes; models are not made for several threads at once.
    """

    name: str
    model: Any
    uploads: Path
    made: Path
    lock: threading.Lock

    def on(self, events, function, inputs, outputs):
        """Calls a function for each of the events. Of those that come while it is busy, the last one counts."""
        gradio().on(
            events, self.answer(function), inputs, outputs, trigger_mode="always_last", api_visibility="private"
        )  # fmt: skip

    def answer(self, function):
        """The function for the page, which shows the library's errors and warnings."""
        gr = gradio()

        @functools.wraps(function)
        def answer(*values):
            with self.lock, warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                try:
                    made = function(*values)
                except KerasGansError as error:
                    raise gr.Error(self._text(error), duration=SECONDS, print_exception=False) from None
            for warning in said:
                if warning.category is UserWarning:
                    gr.Warning(self._text(warning.message), duration=SECONDS)
            return made

        return answer

    def _text(self, message):
        """A message for the page, which shows HTML. The folder of an upload is left out."""
        text = re.sub(rf"{re.escape(str(self.uploads))}{re.escape(os.sep)}\w+{re.escape(os.sep)}", "", str(message))
        return html.escape(text).replace("\n", "<br>")

    def file(self, ending):
        """The path of a new picture."""
        return self.made / f"{Path(self.name).stem}_{ending}"

    def png(self, picture, ending, **about):
        """Writes a picture, with what it was made from as text in the file. Returns the path."""
        from PIL.PngImagePlugin import PngInfo

        from keras_gans_core.pictures import save

        info = PngInfo()
        for key, value in {"model": self.name, **about}.items():
            if value is not None:
                info.add_text(key, str(value))
        save(picture, self.file(ending), pnginfo=info)
        return str(self.file(ending))


def panel_of(shown):
    """The function that builds a model's part of the page: it follows from what the model must be given."""
    from keras_gans.fields import Clips, Images, LabelMaps, Prompts
    from keras_gans.sampling import needed_inputs

    model, needed = shown.model, needed_inputs(shown.model)
    given = [model.input_fields[name] for name in needed]
    if all(isinstance(field, Prompts) for field in given):
        return drawing
    if all(len(names) == 1 for names in ways_of(model).values()):
        if all(isinstance(field, (Images, LabelMaps)) for field in given):
            return upscaling if hasattr(model, "upscale") else translation
        if all(isinstance(field, Clips) for field in given):
            return continuation
    raise ConfigurationError(
        f"Expected a model that is given an image, a clip or a sentence, or nothing. Received: {shown.name}, a "
        f"{type(model).__name__}, which needs {', '.join(needed)}. {remedy_for_given(shown.name, model)}"
    )


def ways_of(model):
    """{way: names of the inputs that must be given}; a model that has one way calls it ""."""
    from keras_gans.sampling import needed_inputs

    return model.ways or {"": needed_inputs(model)}


def picture_of(label):
    """A place for a picture, with a button that downloads its file."""
    return gradio().Image(
        label=label, type="filepath", interactive=False, height=HEIGHT, buttons=["download", "fullscreen"],
        elem_classes="pixels",
    )  # fmt: skip


def seed_box():
    """A box for the seed."""
    return gradio().Number(0, label="seed", precision=0, info="The same seed, the same images. Empty: a new one.")


def seed_of(value):
    """The seed in a box; a new one for an empty box."""
    return random.randrange(2**31) if value is None else int(value)


# Controls of inputs


@dataclass
class Control:
    """The control of an input.

    Attributes:
        components: of gradio.
        read: function from the components' values, a list, and a function that draws the input, to the input's values
            and how they are written; (None, None) leaves the input out.
    """

    components: list
    read: Any


def controls_of(model):
    """{name: Control} of the inputs that a person chooses."""
    from keras_gans.fields import Attributes, Classes, Numbers, Prompts, Values

    kinds = {
        Classes: class_menus,
        Attributes: attribute_boxes,
        Values: value_sliders,
        Numbers: number_box,
        Prompts: prompt_box,
    }
    return {
        name: make(name, field)
        for name, field in model.input_fields.items()
        for kind, make in kinds.items()
        if isinstance(field, kind)
    }


def class_menus(name, field):
    """A menu for each column of classes. What is left at "any" is drawn."""
    gr, several = gradio(), len(field.counts) > 1
    columns = field.names if several else [field.names]
    if field.names is None:
        columns = [[str(number) for number in range(count)] for count in field.counts]
    menus = [
        gr.Dropdown(
            [("any", ANY), *zip(column, range(len(column)))], value=ANY, label=f"{name} {i + 1}" if several else name
        )
        for i, column in enumerate(columns)
    ]

    def read(chosen, draw):
        if set(chosen) == {ANY}:
            return None, None
        labels = draw()
        rows = labels.reshape(len(labels), -1)
        for i, number in enumerate(chosen):
            if number != ANY:
                rows[:, i] = number
        names = ["any" if number == ANY else column[number] for column, number in zip(columns, chosen)]
        return rows.reshape(labels.shape), ":".join(names)

    return Control(menus, read)


def attribute_boxes(name, field):
    """A box to tick for each attribute."""
    titles = field.names or [str(i) for i in range(field.count)]
    boxes = gradio().CheckboxGroup(list(zip(titles, range(field.count))), value=[], label=name)

    def read(chosen, draw):
        (ticked,) = chosen
        return [[int(i in ticked) for i in range(field.count)]], ":".join(titles[i] for i in sorted(ticked))

    return Control([boxes], read)


def value_sliders(name, field):
    """A slider for each number of a label."""
    middle = (field.low + field.high) / 2
    sliders = [
        gradio().Slider(field.low, field.high, middle, label=f"{name} {i + 1}" if field.count > 1 else name)
        for i in range(field.count)
    ]
    return Control(sliders, lambda chosen, draw: ([list(chosen)], ":".join(f"{value:g}" for value in chosen)))


def number_box(name, field):
    """A box for a number that may be left out."""
    box = gradio().Number(None, label=name, info=f"{field}; may be empty", precision=0 if field.whole else None)

    def read(chosen, draw):
        (number,) = chosen
        return (None, None) if number is None else (int(number) if field.whole else float(number), f"{number:g}")

    return Control([box], read)


def prompt_box(name, field):
    """A box for a sentence, which begins with words that the model knows."""
    box = gradio().Textbox(" ".join(field.vocabulary[:4]), label=name, info=str(field))
    return Control([box], lambda chosen, draw: ([chosen[0]], chosen[0]))


def read_controls(model, controls, values, count, seed):
    """({name: values} of the inputs that were chosen for `count` examples, {name: text} of the same).

    Args:
        controls: see `controls_of`.
        values: those of all components, in their order.
    """
    given, said, values = {}, {}, list(values)
    for name, control in controls.items():
        chosen, values = values[: len(control.components)], values[len(control.components) :]
        given[name], said[name] = control.read(chosen, functools.partial(model.draw, name, count, seed))
    return given, said


# Models that draw their inputs


def drawing(shown, blocks):
    """A seed and the model's controls on the left; images, walks and a given image on the right."""
    gr, model = gradio(), shown.model
    directions = directions_of(model)
    with gr.Row():
        with gr.Column(scale=1):
            seed, count = seed_box(), gr.Slider(1, MOST, 16, step=1, label="images")
            controls = controls_of(model)
            sliders = [
                gr.Slider(-REACH, REACH, 0.0, label=f"direction {i + 1}", step=0.1) for i in range(len(directions))
            ]
        common = [seed, count, *(part for control in controls.values() for part in control.components)]
        with gr.Column(scale=2):
            with gr.Tab("Images"):
                images_tab(shown, blocks, controls, common, directions, sliders)
            if "noise" in model.input_fields:
                with gr.Tab("Walk"):
                    walk_tab(shown, controls, common)
            if can_invert(model):
                with gr.Tab("Your image"):
                    inversion_tab(shown, controls, common)


def directions_of(model):
    """The first directions of a model's latents, float32 (at most `DIRECTIONS`, size), one standard deviation long: of
    its styles where it has them, else of its noise. None has no rows."""
    from keras_gans import latent

    try:
        if hasattr(model, "to_styles"):
            found, deviations, _ = latent.style_components(model, min(DIRECTIONS, model.mapping.output_shape[-1]))
            return found * deviations[:, None]
        return latent.first_layer_directions(model)[0][:DIRECTIONS]
    except UnsupportedError:
        return []


def images_tab(shown, blocks, controls, common, directions, sliders):
    """Images of a seed, moved along directions."""
    from keras_gans import sampling

    gr, model = gradio(), shown.model
    texts = {name: field for name, field in model.output_fields.items() if hasattr(field, "text")}
    button, picture = gr.Button("Make images", variant="primary"), picture_of("images")
    boxes = [gr.Textbox(label=name, lines=8) for name in texts]

    def make(seed, count, *values):
        seed, split = seed_of(seed), len(values) - len(sliders)
        sampling.check_picture(model, count)
        given, said = read_controls(model, controls, values[:split], count, seed)
        inputs = sampling.complete_inputs(model, count, seed, given)
        made = moved(model, inputs, directions, values[split:])
        steps = {f"direction {i + 1}": step or None for i, step in enumerate(values[split:])}
        file = shown.png(sampling.picture(model, made), f"seed_{seed}.png", seed=seed, count=count, **said, **steps)
        lines = ["\n".join(field.text(made[name])) for name, field in texts.items()]
        return [file, *lines] if lines else file

    entered = [part.submit for part in common if hasattr(part, "submit")]
    shown.on([button.click, blocks.load, *entered], make, [*common, *sliders], [picture, *boxes])
    shown.on([slider.change for slider in sliders], make, [*common, *sliders], [picture, *boxes])


def moved(model, inputs, directions, steps):
    """{name: outputs} of inputs whose latents are moved along directions."""
    from keras_gans import sampling

    if not any(steps):
        return sampling.sample(model, inputs)
    move = sum(step * direction for step, direction in zip(steps, directions))
    if hasattr(model, "to_styles"):
        return {name: model.from_styles(model.to_styles(**inputs) + move) for name in model.output_fields}
    return sampling.sample(model, {**inputs, "noise": inputs["noise"] + move})


def walk_tab(shown, controls, common):
    """An animation from the images of a seed to those of another, and back."""
    from keras_gans import latent, sampling

    gr, model = gradio(), shown.model
    other = gr.Number(1, label="to seed", precision=0)
    frames = gr.Slider(2, 60, 16, step=1, label="frames on the way")
    button, picture = gr.Button("Walk", variant="primary"), picture_of("walk")

    def walk(other, frames, seed, count, *values):
        seed, other = seed_of(seed), seed_of(other)
        sampling.check_picture(model, count)
        given, _ = read_controls(model, controls, values, count, seed)
        inputs = sampling.complete_inputs(model, count, seed, given)
        path = latent.strips(inputs["noise"], model.noise(count, other), frames)
        made = [sampling.sample(model, {**inputs, "noise": path[:, i]}) for i in range(frames)]
        pictures = [sampling.picture(model, frame) for frame in made]
        file = shown.file(f"seed_{seed}_to_{other}.gif")
        latent.animate([*pictures, *pictures[-2:0:-1]], file)
        return str(file)

    shown.on([button.click], walk, [other, frames, *common], picture)


def can_invert(model):
    """Whether the noise of a given image can be searched for."""
    from keras_gans.latent.checks import images_of
    from keras_gans.sampling import needed_inputs

    try:
        images_of(model)
    except UnsupportedError:
        return False
    return not needed_inputs(model)


def inversion_tab(shown, controls, common):
    """An image of one's own, and what the model can make that is like it."""
    from keras_gans import latent
    from keras_gans.data.pictures import read_input

    gr, model = gradio(), shown.model
    (field,) = model.output_fields.values()
    encodes = hasattr(model, "encode") and len(model.networks(*model.kept)) == len(model.kept)
    upload, button = upload_of(field), gr.Button("Find it", variant="primary")
    with gr.Row():
        begin = "what the encoder finds" if encodes else f"the nearest of {SEEDS} seeds"
        pictures = [picture_of(label) for label in ("yours", begin, "what the optimisation finds")]

    def invert(path, seed, count, *values):
        images = read_input(uploaded(path), field, resize=True)[None]
        given, said = read_controls(model, controls, values, 1, seed_of(seed))
        labels = given.get("labels")
        if labels is None and encodes and hasattr(model, "read_labels"):
            labels = model.read_labels(images)
        if encodes:
            start = latent.encode(model, images)
        else:
            start = model.noise(seed=latent.nearest(model, images, SEEDS, labels)[0])
        found = latent.invert(model, images, labels=labels, start=start, steps=STEPS)
        columns = [images, *(model.generate(noise=noise, labels=labels) for noise in (start, found.noise))]
        places = ("yours", "start", "found")
        return [shown.png(made[0], f"{place}.png", **said) for made, place in zip(columns, places)]

    shown.on([button.click], invert, [upload, *common], pictures)


# Models that are given images or clips


def upload_of(field):
    """A place for the file of an input. Any file is taken: what is wrong with it, the library says."""
    gr = gradio()
    gr.HTML(f"<p>{html.escape(str(field))}</p>")
    return gr.File(label="your file", type="filepath")


def uploaded(path):
    """The path of an upload.

    Raises:
        DataError: there is none.
    """
    if path is None:
        raise DataError("Expected a file. Received: none. Drop one on the page, or click there to choose one.")
    return path


def translation(shown, blocks):
    """An upload and what the model makes of it, side by side."""
    from keras_gans import sampling
    from keras_gans.data.pictures import read_input

    gr, model = gradio(), shown.model
    ways = ways_of(model)
    seed, way = seed_box(), gr.Radio(list(ways), value=next(iter(ways)), label="way", visible=len(ways) > 1)
    upload = upload_of(model.input_fields[ways[way.value][0]])
    button = gr.Button("Make it", variant="primary")
    with gr.Row():
        pictures = [picture_of("yours"), picture_of("result")]

    def translate(path, seed, way):
        (name,), seed = ways[way], seed_of(seed)
        field = model.input_fields[name]
        values = read_input(uploaded(path), field, resize=True)[None]
        (made,) = sampling.sample(model, sampling.complete_inputs(model, 1, seed, {name: values})).items()
        result = model.output_fields[made[0]].file_image(made[1][0])
        about = {"way": way or None, "seed": seed}
        return [shown.png(field.file_image(values[0]), "yours.png"), shown.png(result, "result.png", **about)]

    shown.on([button.click], translate, [upload, seed, way], pictures)


def upscaling(shown, blocks):
    """An upload and the same made larger, side by side."""
    from keras_gans.data.pictures import read_photo
    from keras_gans.tiles import reach

    gr, model = gradio(), shown.model
    (field,) = model.input_fields.values()
    upload, button = upload_of(field), gr.Button("Make it larger", variant="primary")
    with gr.Row():
        pictures = [picture_of("yours"), picture_of("result")]

    def upscale(path):
        image, grey = read_photo(uploaded(path), field.shape[2])
        made = model.upscale(image, tile=TILE, tile_pad=reach(model.generator))[0]
        shades = slice(0, 1 if grey else None)
        return [shown.png(image[..., shades], "yours.png"), shown.png(made[..., shades], "result.png")]

    shown.on([button.click], upscale, [upload], pictures)


def continuation(shown, blocks):
    """A clip and how it goes on, side by side."""
    from keras_gans import latent
    from keras_gans.data import read_clip

    gr, model = gradio(), shown.model
    (field,) = model.input_fields.values()
    upload = upload_of(field)
    side = gr.Number(None, label="side", precision=0, info="The frames become squares of this side. Empty: as they are.")
    frames, button = gr.Slider(1, 32, 8, step=1, label="frames"), gr.Button("Go on", variant="primary")
    with gr.Row():
        pictures = [picture_of("yours"), picture_of("how it goes on")]

    def go_on(path, side, frames):
        size = None if side is None else (side, side)
        clip = read_clip(uploaded(path), size, field.shape[-1])
        made = model.predict_frames(clip, frames)[0]
        files = [shown.file("yours.gif"), shown.file("next.gif")]
        for file, shots in zip(files, (clip, made)):
            latent.animate(list(shots), file)
        return [str(file) for file in files]

    shown.on([button.click], go_on, [upload, side, frames], pictures)
