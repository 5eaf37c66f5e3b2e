"""Models that are given an image or a clip: an upload and what becomes of it, side by side."""

from keras_gans_cli.demo.controls import (
    controls_of,
    number_of,
    read,
    seed_box,
    seed_of,
    slider,
    upload_box,
    uploaded,
)
from keras_gans_cli.demo.drawing import picture_of
from keras_gans_cli.demo.serving import gradio

HEIGHT = 400  # of a picture on the page, in pixels
TILE = 128  # side of the tiles that are made larger one at a time, in pixels


def ways_of(model):
    """{way: names of the inputs that must be given}; a model that has one way calls it ""."""
    from keras_gans.sampling import needed_inputs

    return model.ways or {"": needed_inputs(model)}


def example_file(shown, name):
    """The file of an example of an input; None where there is none."""
    from keras_gans.fields import Clips

    if name not in shown.examples:
        return None
    field, value = shown.model.input_fields[name], shown.examples[name]
    if isinstance(field, Clips):
        return shown.gif(list(value), "example.gif")
    return shown.png(field.file_image(value), "example.png")


def translation(shown):
    """An image or a label map, and what the model makes of it."""
    from keras_gans import sampling
    from keras_gans.data.pictures import read_input

    gr, model, ways = gradio(), shown.model, ways_of(shown.model)
    drawn = any(field.num_normals is not None for field in model.input_fields.values())
    with gr.Row():
        with gr.Column(scale=1):
            way = gr.Radio(list(ways), value=next(iter(ways)), label="way", visible=len(ways) > 1)
            ((first,), *_) = ways.values()
            upload = upload_box(model.input_fields[first], example_file(shown, first))
            seed, controls = seed_box(visible=drawn), controls_of(model)
            button = gr.Button("Make it", variant="primary")
        pictures = [picture_of(label, HEIGHT) for label in ("input", "result")]

    def translate(path, seed, way, *values):
        (name,), seed = ways[way], seed_of(seed)
        field = model.input_fields[name]
        image = read_input(uploaded(path), field, resize=True)
        chosen, said = read(model, controls, values, 1, seed)
        inputs = sampling.complete_inputs(model, 1, seed, {name: image[None], **chosen})
        made = sampling.sample(model, inputs)
        result = sampling.picture(model, made)
        if len(made) == 1:  # of a label map the numbers, too
            ((to, values),) = made.items()
            result = model.output_fields[to].file_image(values[0])
        said = {"seed": seed if drawn else None, **said}
        return [shown.png(field.file_image(image), "input.png"), shown.png(result, "result.png", **said)]

    parts = [part for control in controls.values() for part in control.components]
    shown.on([button.click], translate, [upload, seed, way, *parts], pictures)


def enlargement(shown):
    """A photograph, and the same made larger."""
    from keras_gans.data.pictures import read_photo

    gr, model = gradio(), shown.model
    ((name, field),) = model.input_fields.items()
    with gr.Row():
        with gr.Column(scale=1):
            upload = upload_box(field, example_file(shown, name))
            button = gr.Button("Make it larger", variant="primary")
        pictures = [picture_of(label, HEIGHT) for label in ("input", "result")]

    def upscale(path):
        image, grey = read_photo(uploaded(path), field.shape[2])
        made = model.upscale(image, tile=TILE)[0]
        shades = slice(1) if grey else slice(None)
        return [shown.png(image[..., shades], "input.png"), shown.png(made[..., shades], "result.png")]

    shown.on([button.click], upscale, [upload], pictures)


def continuation(shown):
    """A clip, and how it goes on."""
    from keras_gans.data import read_clip

    gr, model = gradio(), shown.model
    ((name, field),) = model.input_fields.items()
    with gr.Row():
        with gr.Column(scale=1):
            upload = upload_box(field, example_file(shown, name))
            side = gr.Textbox("", label="side", info="The frames become squares of this side. Empty: as they are.")
            frames = slider(1, 32, 8, step=1, label="frames")
            button = gr.Button("Go on", variant="primary")
        pictures = [picture_of(label, HEIGHT) for label in ("input", "how it goes on")]

    def go_on(path, side, frames):
        size = None if side == "" else (number_of(side, whole=True),) * 2
        clip = read_clip(uploaded(path), size, field.shape[-1])
        made = model.predict_frames(clip, frames)[0]
        return [shown.gif(list(clip), "input.gif"), shown.gif(list(made), "next.gif")]

    shown.on([button.click], go_on, [upload, side, frames], pictures)
