"""Models that draw what they need: images of a seed, a walk to another one, and the search for a given image."""

from keras_gans_cli.demo.controls import (
    can_be_uploaded,
    controls_of,
    read,
    seed_box,
    seed_of,
    slider,
    upload_box,
    uploaded,
)
from keras_gans_cli.demo.serving import gradio
from keras_gans_core.errors import UnsupportedError

HEIGHT = 480  # of a picture on the page, in pixels
MOST = 64  # images in one picture
DIRECTIONS, REACH = 4, 3.0  # sliders, and how far they go, in standard deviations of the latents
SEEDS, STEPS = 512, 200  # of a search: seeds to start from, steps of the optimisation


def panel(shown):
    """A seed and the model's controls on the left; images, walks and searches on the right."""
    gr, model = gradio(), shown.model
    directions = directions_of(model)
    with gr.Row():
        with gr.Column(scale=1):
            seed, count = seed_box(), slider(1, MOST, 16, step=1, label="images")
            controls = controls_of(model)
            titles = [f"direction {i + 1}" for i in range(len(directions))]
            sliders = [slider(-REACH, REACH, 0.0, label=title, step=0.1) for title in titles]
        common = [seed, count, *(part for control in controls.values() for part in control.components)]
        with gr.Column(scale=2):
            with gr.Tab("Images"):
                images(shown, controls, common, directions, sliders)
            if "noise" in model.input_fields:
                with gr.Tab("Walk"):
                    walk(shown, controls, common)
            if can_be_searched(model):
                with gr.Tab("Your image"):
                    search(shown, controls, common)


def picture_of(label, height=HEIGHT):
    """A place for a picture, with a button that downloads its file."""
    return gradio().Image(
        label=label,
        type="filepath",
        interactive=False,
        height=height,
        buttons=["download", "fullscreen"],
        elem_classes="pixels",
    )


def images(shown, controls, common, directions, sliders):
    """Images of a seed, moved along directions of the latents."""
    from keras_gans import sampling

    gr, model = gradio(), shown.model
    texts = {name: field for name, field in model.output_fields.items() if hasattr(field, "text")}
    button, picture = gr.Button("Make images", variant="primary"), picture_of("images")
    lines = [gr.Textbox(label=name, lines=8) for name in texts]

    def make(seed, count, *values):
        seed, split = seed_of(seed), len(values) - len(sliders)
        given, said = read(model, controls, values[:split], count, seed)
        sampling.check_picture(model, count)
        inputs = sampling.complete_inputs(model, count, seed, given)
        made = moved(model, inputs, directions, values[split:])
        steps = {part.label: step or None for part, step in zip(sliders, values[split:])}
        file = shown.png(sampling.picture(model, made), f"seed_{seed}.png", seed=seed, count=count, **said, **steps)
        return [file, *("\n".join(field.text(made[name])) for name, field in texts.items())] if texts else file

    entered = [part.submit for part in common if hasattr(part, "submit")]
    for events in ([button.click, shown.blocks.load, *entered], [part.change for part in sliders]):
        if events:
            shown.on(events, make, [*common, *sliders], [picture, *lines])


def directions_of(model):
    """The first directions of a model's latents, one standard deviation long, float32 (at most `DIRECTIONS`, size): of
    its styles where it has them, else of its noise. No rows where none are known."""
    from keras_gans import latent

    try:
        if hasattr(model, "to_styles"):
            found, deviations, _ = latent.style_components(model, min(DIRECTIONS, model.mapping.output_shape[-1]))
            return found * deviations[:, None]
        return latent.first_layer_directions(model)[0][:DIRECTIONS]
    except UnsupportedError:
        return []


def moved(model, inputs, directions, steps):
    """{name: outputs} of inputs whose latents are moved along directions."""
    from keras_gans import sampling

    if not any(steps):
        return sampling.sample(model, inputs)
    move = sum(step * direction for step, direction in zip(steps, directions))
    if hasattr(model, "to_styles"):
        (name,) = model.output_fields
        return {name: model.from_styles(model.to_styles(**inputs) + move)}
    return sampling.sample(model, {**inputs, "noise": inputs["noise"] + move})


def walk(shown, controls, common):
    """An animation from the images of a seed to those of another, and back."""
    from keras_gans import latent, sampling

    gr, model = gradio(), shown.model
    other = gr.Number(1, label="to seed", precision=0)
    frames = slider(2, 60, 16, step=1, label="frames on the way")
    button, picture = gr.Button("Walk", variant="primary"), picture_of("walk")

    def go(other, frames, seed, count, *values):
        seed, other = seed_of(seed), seed_of(other)
        given, _ = read(model, controls, values, count, seed)
        sampling.check_picture(model, count * frames)  # they are in memory together
        inputs = sampling.complete_inputs(model, count, seed, given)
        path = latent.strips(inputs["noise"], model.noise(count, other), frames)
        made = [sampling.sample(model, {**inputs, "noise": path[:, i]}) for i in range(frames)]
        pictures = [sampling.picture(model, frame) for frame in made]
        return shown.gif([*pictures, *pictures[-2:0:-1]], f"seed_{seed}_to_{other}.gif")

    shown.on([button.click], go, [other, frames, *common], picture)


def can_be_searched(model):
    """Whether the noise of an uploaded image can be searched for."""
    from keras_gans.latent.checks import images_of
    from keras_gans.sampling import needed_inputs

    try:
        field = images_of(model)
    except UnsupportedError:
        return False
    return can_be_uploaded(field) and not needed_inputs(model)


def search(shown, controls, common):
    """An image of one's own, and what the model can make that is like it."""
    from keras_gans import latent
    from keras_gans.data.pictures import read_input

    gr, model = gradio(), shown.model
    (field,) = model.output_fields.values()
    encodes = hasattr(model, "encode") and len(model.networks(*model.kept)) == len(model.kept)
    upload, button = upload_box(field), gr.Button("Find it", variant="primary")
    begin = "what the encoder finds" if encodes else f"the nearest of {SEEDS} seeds"
    with gr.Row():
        pictures = [picture_of(label, 240) for label in ("yours", begin, "what the optimisation finds")]

    def find(path, seed, count, *values):
        images = read_input(uploaded(path), field, resize=True)[None]
        given, said = read(model, controls, values, 1, seed_of(seed))
        labels, written = given.get("labels"), said.get("labels")
        if encodes and hasattr(model, "read_labels"):
            labels, written = model.read_labels(images), None
        if encodes:
            start = latent.encode(model, images)
        else:
            start = model.noise(seed=latent.nearest(model, images, SEEDS, labels)[0])
        found = latent.invert(model, images, labels=labels, start=start, steps=STEPS)
        made = [images, *(model.generate(noise=noise, labels=labels) for noise in (start, found.noise))]
        places = ("yours", "start", "found")
        return [shown.png(one[0], f"{place}.png", labels=written) for one, place in zip(made, places)]

    shown.on([button.click], find, [upload, *common], pictures)
