"""The page of the command report: sections for the state, samples, curves, doctor, settings and environment."""

import base64
import struct
from pathlib import Path

from keras_gans_cli.report import curves
from keras_gans_cli.report.markup import text
from keras_gans_cli.zoo import one_line
from keras_gans_core import cards, runs

OWN = Path(__file__).parent
PICTURES = 13 * 10**6  # bytes of all grids of a page; as text they take a third more
WIDEST = 448  # pixels up to which small grids are enlarged
MOST_EPOCHS = 1000  # points of a curve
SURROUNDINGS = ("device", "backend", "dtype_policy", "packages", "commit")  # of a card's training
SHOWN = ("title", "variant", "epochs", "wall_seconds", "final_losses")  # entries of a card that stand at the top
DOCTOR = "doctor/"  # begins the names of its signals in the logs
NO_EPOCH = "No epoch is finished yet."
NO_LOGS = f"The logs are not known: there is no usable {runs.PROGRESS}."
NO_OTHERS = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def build(found, given):
    """The text of the page.

    Args:
        found: the `Run`s to show, side by side.
        given: how the user named their folders; shown where the folders themselves have the same name.
    """
    names = [run.folder.resolve().name for run in found]
    names = names if len(set(names)) == len(names) else given
    style, script = ((OWN / file).read_text(encoding="utf-8") for file in ("report.css", "report.js"))
    title = text(" and ".join(names))
    sections = [
        _state(found, names),
        _samples(found, names),
        _curves(found, names),
        _doctor(found, names),
        _section("Settings", _compared([_settings(run.card) for run in found], names)),
        _section("Environment", _compared([_surroundings(run.card) for run in found], names)),
    ]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{NO_OTHERS}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body class="runs-{len(found)}">
<h1>{title}</h1>
{"".join(sections)}<script>
{script}</script>
</body>
</html>
"""


def _section(title, content):
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>\n"


def _beside(parts):
    """Parts of the runs, next to each other."""
    return f'<div class="beside">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def _compared(rows, names):
    """`_table`, with marks on what differs between runs that both say it."""
    others = [title for title in rows[0] if any(title in row and row[title] != rows[0][title] for row in rows)]
    note = "<p>Marked: what differs.</p>" if others else ""
    return note + _table(rows, names, others)


def _table(rows, names, marked=()):
    """A table of `{title: value}` of each run."""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    if not titles:
        return "<p>Not known.</p>"
    lines = []
    for title in titles:
        values = [row.get(title, "") for row in rows]
        mark = ' class="marked"' if title in marked else ""
        cells = "".join(f"<td>{text(value)}</td>" for value in values)
        lines.append(f'<tr{mark}><th scope="row">{text(title)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    head = f"<thead><tr><td></td>{head}</tr></thead>" if len(names) > 1 else ""
    return f'<div class="wide"><table>{head}<tbody>{"".join(lines)}</tbody></table></div>'


def _state(found, names):
    """How far the runs are, and the last values of their logs."""
    rows = []
    for run in found:
        done = "not known" if run.epochs is None else str(run.epochs)
        done = f"{done} of {run.planned}" if run.planned else done
        row = {"state": "finished" if run.finished else "not finished", "epochs": done}
        if run.seconds is not None:
            row["time"] = _duration(run.seconds)
        last = {name: value for name, value in run.last.items() if not name.startswith(DOCTOR)}
        row |= {f"{name}, last epoch": _number(value) for name, value in last.items()}
        rows.append({key: run.card[key] for key in ("title", "variant") if run.card.get(key)} | row)
    return _section("Runs" if len(found) > 1 else "Run", _table(rows, names))


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# Samples


def _samples(found, names):
    parts = [_grids(run, name, PICTURES // len(found)) for run, name in zip(found, names)]
    slider = (
        '<p class="slider" hidden><label for="epoch">Epoch <output for="epoch"></output></label>'
        '<input id="epoch" type="range" min="0" step="1"></p>'
    )
    return _section("Samples", slider + _beside(parts))


def _grids(run, name, room):
    """The sample grids of a run in `room` bytes: every one, every second one, ...; the last one is shown first."""
    kept = _thinned(run.grids, room)
    shown = {epoch: content for epoch, path in kept.items() if (content := _png(path)) is not None}
    pictures = []
    for epoch, content in shown.items():
        width = struct.unpack(">I", content[16:20])[0]
        small = f' class="small" width="{width * (WIDEST // width)}"' if 0 < width <= WIDEST else ""
        hidden = "" if epoch == max(shown) else " hidden"
        about = text(f"Samples of {name} after epoch {epoch}")
        data = base64.b64encode(content).decode()
        pictures.append(f'<img data-epoch="{epoch}" alt="{about}" src="data:image/png;base64,{data}"{small}{hidden}>')
    said = f"{name}, epoch {max(shown)}" if shown else f"{name}: no grid to show"
    notes = []
    if len(kept) < len(run.grids):
        notes.append(f"{len(run.grids) - len(kept)} of {len(run.grids)} grids are left out, to keep the page small.")
    if len(shown) < len(kept):
        notes.append(f"{len(kept) - len(shown)} of {len(run.grids)} grids cannot be read.")
    notes = "".join(f"<p>{note}</p>" for note in notes)
    return (
        f'<figure class="grids" data-name="{text(name)}">{"".join(pictures)}<figcaption>{text(said)}</figcaption>'
        f"</figure>{notes}"
    )


def _thinned(grids, room):
    """`{epoch: path}` of every n-th grid, counted from the last one, with the smallest n by which they take `room`."""
    sizes = {epoch: _size(path) for epoch, path in grids.items()}
    for every in range(1, len(grids) + 1):
        kept = list(grids)[::-1][::every]
        if sum(sizes[epoch] for epoch in kept) <= room:
            return {epoch: grids[epoch] for epoch in sorted(kept)}
    return {}


def _size(path):
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _png(path):
    """The bytes of a PNG file, or None if it is not one or cannot be read."""
    try:
        with cards.open_file(path, PICTURES) as file:
            content = file.read(PICTURES)
    except (OSError, ValueError):
        return None
    return content if content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR" and len(content) > 24 else None


# Curves


def _curves(found, names):
    logged = [name for name in _logged(found) if not name.startswith(DOCTOR)]
    if not logged:
        begun = all(run.epochs == 0 for run in found)
        return _section("Curves", f"<p>{NO_EPOCH if begun else NO_LOGS}</p>")
    losses = [name for name in logged if name.endswith("loss") and not name.startswith("val_")]
    of_validation = [name for name in logged if name.endswith("loss") and name.startswith("val_")]
    others = {name: [name] for name in logged if not name.endswith("loss")}
    groups = {"Losses": losses, "Losses of the validation data": of_validation, **others}
    shown = "".join(_charts(title, group, found, names) for title, group in groups.items() if group)
    return _section("Curves", f"{_thinning(found)}<div class='charts'>{shown}</div>")


def _logged(found):
    """The names of all logs, in the order of the epochs."""
    return list(dict.fromkeys(name for run in found for logs in run.history or () for name in logs))


def _thinning(found):
    every = _every(found)
    return "" if every == 1 else f"<p>The curves show one of {every} epochs, and the last one.</p>"


def _every(found):
    return -(-max(len(run.history or ()) for run in found) // MOST_EPOCHS)


def _charts(title, group, found, names):
    """The logs of a group in one chart for each run, all with the same axes."""
    every = _every(found)
    drawn = [{name: _points(run, name, every) for name in group} for run in found]
    points = [points for run in drawn for points in run.values()]
    if all(value is None for one in points for _, value in one):
        return f"<figure><h3>{text(title)}</h3><p>No finite numbers.</p></figure>"
    axes = curves.axes(points, max(len(run.history or ()) for run in found))
    parts = []
    for run, name in zip(drawn, names):
        about = f"{title} of {name} by epoch"
        said = name if any(value is not None for one in run.values() for _, value in one) else f"{name}: no numbers"
        caption = f"<figcaption>{text(said)}</figcaption>" if len(found) > 1 else ""
        parts.append(f"<figure>{curves.chart(run, axes, about)}{caption}</figure>")
    key = "".join(
        f'<li><svg viewBox="0 0 24 8" aria-hidden="true"><g class="{curves.style(i)}"><path d="M1 4H23"/></g></svg>'
        f"{text(name)}</li>"
        for i, name in enumerate(group)
    )
    key = f'<ul class="key">{key}</ul>' if len(group) > 1 or group[0] != title else ""
    return f'<div class="chart"><h3>{text(title)}</h3>{key}{_beside(parts)}</div>'


def _points(run, name, every):
    """`[(epoch, value or None)]` of a log: of each `every` epochs the last one that has a number."""
    values = [logs.get(name) for logs in run.history or ()]
    points = [(i + 1, value if curves.is_drawn(value) else None) for i, value in enumerate(values)]
    parts = [points[i : i + every] for i in range(0, len(points), every)]
    return [next((point for point in part[::-1] if point[1] is not None), part[-1]) for part in parts]


# The doctor


def _doctor(found, names):
    parts = []
    for run, name in zip(found, names):
        title = f"<h3>{text(name)}</h3>" if len(found) > 1 else ""
        parts.append(title + _verdicts(run))
    signals = [name for name in _logged(found) if name.startswith(DOCTOR)]
    charts = "".join(_charts(name, [name], found, names) for name in signals)
    charts = f"<details><summary>Signals</summary><div class='charts'>{charts}</div></details>" if charts else ""
    return _section("Doctor", _beside(parts) + charts)


def _verdicts(run):
    if run.verdicts is None:
        if any(name.startswith(DOCTOR) for name in _logged([run])):
            return "<p>The verdicts are not known, only the signals.</p>"
        if not _logged([run]):
            return f"<p>{NO_EPOCH if run.epochs == 0 else NO_LOGS}</p>"
        return (
            "<p>No doctor watched this run. keras-gans train --doctor gives it one, and so does its recipe: "
            "callbacks=[kg.callbacks.GANDoctor(images)].</p>"
        )
    if not run.verdicts:
        return "<p>No verdicts: the doctor saw no sickness.</p>"
    parts = []
    for verdict in run.verdicts:
        until = f"to {verdict['until']}" if verdict.get("until") else "to the end"
        evidence = "".join(
            f"<tr><th scope='row'>{text(name)}</th><td>{text(_number(value))}</td></tr>"
            for name, value in verdict["evidence"].items()
        )
        parts.append(
            f"<div class='verdict'><h4>{text(verdict['name'])}, epoch {verdict['epoch']} {until}</h4>"
            f"<table><tbody>{evidence}</tbody></table><p>{text(verdict['remedy'])}</p></div>"
        )
    return "".join(parts)


# The card


def _settings(card):
    others = {key: value for key, value in card.items() if key not in (*SHOWN, "training")}
    training = {key: value for key, value in _training(card).items() if key not in (*SHOWN, *SURROUNDINGS)}
    return dict(_flat(others)) | dict(_flat(training))


def _surroundings(card):
    training = _training(card)
    return dict(_flat({key: training[key] for key in SURROUNDINGS if key in training}))


def _training(card):
    training = card.get("training")
    return training if isinstance(training, dict) else {}


def _flat(card, before=""):
    """`(path, text)` of each entry of a card, however deep."""
    for key, value in card.items():
        title = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _flat(value, f"{title}: ")
        elif value != "":  # as the words that a recipe does not have
            yield title, f"{value:.6g}" if isinstance(value, float) else one_line(value)
