"""The controls of the page: one function for each kind of input."""

import functools
import random
from dataclasses import dataclass
from typing import Any

from keras_gans_cli.demo.serving import gradio
from keras_gans_core.errors import DataError

ANY = -1  # in a menu of classes: the label is drawn


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


def read(model, controls, values, count, seed):
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


def class_menus(name, field):
    """A menu for each column of classes. What is left at "any" is drawn."""
    several = len(field.counts) > 1
    columns = field.names if several else [field.names]
    if field.names is None:
        columns = [[str(number) for number in range(count)] for count in field.counts]
    menus = [
        gradio().Dropdown([("any", ANY), *zip(column, range(len(column)))], value=ANY, label=title)
        for column, title in zip(columns, _titles(name, len(columns)))
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
        row = [int(i in ticked) for i in range(field.count)]
        return [row], ":".join(title for title, there in zip(titles, row) if there)

    return Control([boxes], read)


def value_sliders(name, field):
    """A slider for each number of a label."""
    middle = (field.low + field.high) / 2
    sliders = [slider(field.low, field.high, middle, label=title) for title in _titles(name, field.count)]
    return Control(sliders, lambda chosen, draw: ([chosen], ":".join(f"{value:g}" for value in chosen)))


def slider(low, high, value, **options):
    """A slider. While its box is empty, such as before a number is typed, its first value counts."""
    made = gradio().Slider(low, high, value, **options)
    checked = made.preprocess
    made.preprocess = lambda number: checked(value if number is None else number)
    return made


def number_box(name, field):
    """A box for a number that may be left out. It takes text, since a number's box cannot begin empty."""
    box = gradio().Textbox("", label=name, info=f"{field}. May be empty.")

    def read(chosen, draw):
        (text,) = chosen
        return (None, None) if text == "" else (number_of(text, field.whole), text)

    return Control([box], read)


def prompt_box(name, field):
    """A box for a sentence, which begins with words that the model knows."""
    box = gradio().Textbox(" ".join(field.vocabulary[:4]), label=name, info=str(field))
    return Control([box], lambda chosen, draw: (chosen, chosen[0]))


def number_of(text, whole):
    """The number in a text; the text itself where there is none, which the library refuses."""
    try:
        return int(text) if whole else float(text)
    except ValueError:
        return text


def seed_box(visible=True):
    """A box for the seed."""
    return gradio().Number(0, label="seed", precision=0, info="Empty: a new one each time.", visible=visible)


def seed_of(value):
    """The seed in a box; a new one for an empty box."""
    return random.randrange(2**31) if value is None else int(value)


def upload_box(field, example=None):
    """A place for the file of an input. It takes any file; the library says what is wrong with it."""
    gr = gradio()
    gr.Markdown(described(field))
    return gr.File(example, label="your file", type="filepath", height=120)


def can_be_uploaded(field):
    """Whether files hold a field's values. Image files have one, three or four channels."""
    from keras_gans.data.pictures import KINDS
    from keras_gans.fields import Clips, Images, LabelMaps

    return isinstance(field, LabelMaps) or isinstance(field, (Clips, Images)) and field.shape[-1] in KINDS


def described(field):
    """What an upload should be, a sentence."""
    from keras_gans.data.pictures import KINDS
    from keras_gans.fields import Clips, Images

    if isinstance(field, Clips):
        return f"An animation of {field.shape[0]} frames or more, {KINDS[field.shape[3]]}: GIF, WebP or animated PNG."
    height, width = field.shape[:2]
    size = "of any size" if None in (height, width) else f"cut and resized to {width}x{height}"
    if isinstance(field, Images):
        return f"An image {KINDS[field.shape[2]]}, {size}."
    return (
        f"A label map, {size}: a grey or palette image, whose values are class numbers from 0 to {field.classes - 1}."
    )


def uploaded(path):
    """The path of an upload.

    Raises:
        DataError: there is none.
    """
    if path is None:
        raise DataError("Expected a file. Received: none. Drop one on the page, or click there to choose one.")
    return path


def _titles(name, count):
    """What the parts of a control are called."""
    return [name] if count == 1 else [f"{name} {i + 1}" for i in range(count)]
