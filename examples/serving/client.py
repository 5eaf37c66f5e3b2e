"""Asks a model server for the images of seeds. It needs Python alone.

python client.py http://localhost:8501 cgan_digits --seeds 0 1 2 --labels 3 5 8
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path


def images_of(url, model, **inputs):
    """The images of a request to the signature `png`, a list of files' bytes.

    Args:
        url: the server's, with the port of REST.
        model: its name.
        inputs: {name: list}, such as seeds and labels.

    Raises:
        urllib.error.HTTPError: the server refuses the request; the body says why.
    """
    body = json.dumps({"signature_name": "png", "inputs": inputs}).encode()
    with urllib.request.urlopen(f"{url}/v1/models/{model}:predict", body, timeout=60) as answer:
        return [base64.b64decode(file["b64"]) for file in json.load(answer)["outputs"]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes the images of seeds as seed_0.png, ...")
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--labels", type=int, nargs="+", help="one for each seed, of a model with labels")
    given = parser.parse_args()
    asked = {"seeds": given.seeds, **({"labels": given.labels} if given.labels else {})}
    try:
        for seed, content in zip(given.seeds, images_of(given.url, given.model, **asked)):
            Path(f"seed_{seed}.png").write_bytes(content)
    except urllib.error.HTTPError as error:
        sys.exit(f"The server refuses the request ({error.code}): {error.read().decode()}")
