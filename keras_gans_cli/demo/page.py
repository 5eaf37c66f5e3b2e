"""The page: a tab for each model, whose controls follow from the model's fields.

What can be drawn comes from a seed; labels, prompts and numbers have controls of their own; images and clips are
uploaded.
"""

import functools
import html
import os
import re
import threading
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_gans_cli.demo import drawing, given
from keras_gans_cli.demo.controls import can_be_uploaded
from keras_gans_cli.demo.serving import gradio
from keras_gans_cli.models import remedy_for_given
from keras_gans_core import handles
from keras_gans_core.errors import ConfigurationError, KerasGansError, printable

SECONDS = 30  # that an error is shown


def build(models, folder, examples):
    """The page of {name: model}, `gradio.Blocks`.

    Args:
        models: the models by name.
        folder: for uploads, and for the pictures that the page makes.
        examples: {name: {input: value}} of examples, with which uploads begin.

    Raises:
        ConfigurationError: a model with an input that the page has no control for.
    """
    folder = Path(folder).resolve()  # as in the paths of uploads
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    gr, lock, titles = gradio(), threading.Lock(), [title_of(name) for name in models]
    with gr.Blocks(title="keras_gans", analytics_enabled=False) as blocks, gr.Tabs():
        for (name, model), title in zip(models.items(), titles):
            shown = Shown(title, model, examples[name], folder, lock, blocks)
            with gr.Tab(title if titles.count(title) == 1 else printable(name)):
                inputs, outputs = (" and ".join(fields) for fields in (model.input_fields, model.output_fields))
                gr.Markdown(f"{type(model).__name__}: {outputs} from {inputs}")
                panel_of(name, model)(shown)
    return blocks


def title_of(name):
    """A model's name without the folder that it is in, which pictures do not show."""
    return printable(name if handles.is_remote(name) else Path(os.path.abspath(name)).name.removesuffix(".keras"))


def panel_of(name, model):
    """The function that builds a model's part of the page: it follows from what the model must be given."""
    from keras_gans.fields import Clips, Images, LabelMaps, Prompts
    from keras_gans.sampling import needed_inputs

    needed = needed_inputs(model)
    fields = [model.input_fields[key] for key in needed]
    if all(isinstance(field, Prompts) for field in fields):
        return drawing.panel
    if all(len(names) == 1 for names in given.ways_of(model).values()) and all(map(can_be_uploaded, fields)):
        if all(isinstance(field, (Images, LabelMaps)) for field in fields):
            return given.enlargement if hasattr(model, "upscale") else given.translation
        if all(isinstance(field, Clips) for field in fields):
            return given.continuation
    raise ConfigurationError(
        f"Expected a model that is given an image, a clip or a sentence, or nothing. Received: {name}, a "
        f"{type(model).__name__}, which needs {', '.join(needed)}. {remedy_for_given(name, model)}"
    )


@dataclass
class Shown:
    """A model on the page.

    Attributes:
        name: a preset's or a run's name, or a handle of a hub; not the path on this machine, as pictures show it.
        model: an `AdversarialModel`.
        examples: {input: value} of an example.
        folder: for uploads, and for the pictures that are made.
        lock: held while any model computes; models are not made for several threads at once.
        blocks: the page.
    """

    name: str
    model: Any
    examples: dict
    folder: Path
    lock: Any
    blocks: Any

    def on(self, events, function, inputs, outputs):
        """Calls a function for each of the events. Of those that come while it is busy, the last one counts."""
        answer = self.answer(function)
        gradio().on(events, answer, inputs, outputs, trigger_mode="always_last", api_visibility="private")

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
        folder, separator = re.escape(str(self.folder)), re.escape(os.sep)
        text = re.sub(rf"{folder}{separator}\w+{separator}", "", str(message))
        return html.escape(text).replace("\n", "<br>")

    def file(self, ending):
        """The path of a new picture, in a folder of its own: it replaces no other visitor's, and its address is new to
        the browser."""
        return self.folder / uuid.uuid4().hex / f"{Path(self.name).name}_{ending}"

    def png(self, picture, ending, **about):
        """Writes a picture, with what it was made from as text in the file. Returns the path."""
        from PIL.PngImagePlugin import PngInfo

        from keras_gans_core.pictures import save

        info = PngInfo()
        for key, value in {"model": self.name, **about}.items():
            if value is not None:
                info.add_text(key, str(value))
        file = self.file(ending)
        save(picture, file, pnginfo=info)
        return str(file)

    def gif(self, pictures, ending):
        """Writes pictures as an animation. Returns the path."""
        from keras_gans.latent import animate

        file = self.file(ending)
        animate(pictures, file)
        return str(file)
