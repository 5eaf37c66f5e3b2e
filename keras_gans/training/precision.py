"""The precision that suits a machine."""

from pathlib import Path

from keras_gans import engine

# What Linux calls the instructions that multiply bfloat16: on processors by Intel and AMD, by Intel, and by ARM.
INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}


def fast_policy(processor="/proc/cpuinfo"):
    """The dtype policy to train under on this machine: "mixed_bfloat16" where it saves time, else "float32".

    Only some processors and GPUs multiply bfloat16. Others emulate it and take many times as long as with float32. A
    recipe calls this before it builds the networks:

        keras.config.set_dtype_policy(fast_policy())

    The card says which policy was used. A resumed run keeps the policy that it began with, because the networks in a
    checkpoint have their own.

    Args:
        processor: the file that describes the processor; without it, as on macOS and Windows, the policy is "float32".

    Returns:
        The name of a dtype policy.

    Example:

    >>> fast_policy(processor="no such file") in ("float32", "mixed_bfloat16")     # a GPU decides before the processor
    True
    """
    supported = engine.accelerators_multiply_bfloat16()
    if supported is None:
        path = Path(processor)
        words = set(path.read_text(encoding="utf-8").split()) if path.exists() else set()
        supported = bool(words & INSTRUCTIONS)
    return "mixed_bfloat16" if supported else "float32"
