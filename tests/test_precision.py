"""Which dtype policy recipes train under."""

import pytest

from keras_gans import engine
from keras_gans.training import fast_policy


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("fpu avx512f avx512_bf16 avx512_vnni", "mixed_bfloat16"),
        ("fpu amx_bf16", "mixed_bfloat16"),
        ("fp asimd bf16", "mixed_bfloat16"),
        ("fpu avx2 avx512f avx512_vnni", "float32"),
        ("", "float32"),
    ],
)
def test_the_processors_instructions_decide(flags, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "accelerators_multiply_bfloat16", lambda: None)
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\n", encoding="utf-8")
    assert fast_policy(file) == expected


def test_without_a_description_of_the_processor_it_is_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "accelerators_multiply_bfloat16", lambda: None)
    assert fast_policy(tmp_path / "missing") == "float32"


@pytest.mark.parametrize("supported, expected", [(True, "mixed_bfloat16"), (False, "float32")])
def test_accelerators_decide_before_the_processor(supported, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "accelerators_multiply_bfloat16", lambda: supported)
    assert fast_policy(tmp_path / "missing") == expected
