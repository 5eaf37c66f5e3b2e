"""How much memory is free, so that what does not fit is refused before the work begins."""

from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
# Of both versions of Linux's groups: the folder, the kind in a process's list, the limit, what is used, what of it is
# cached files.
LIMITS = (
    (GROUPS, "", "memory.max", "memory.current", "inactive_file"),
    (GROUPS / "memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def free_memory():
    """Bytes that this process can still take: of the machine, of its container and of its limits; None if unknown."""
    return min((number for number in (*_of_the_machine(), *_of_groups(), *_of_limits())), default=None)


def in_units(count):
    """A number of bytes in words.

    >>> in_units(3 * 2**29)
    '1.5 GiB'
    """
    power = min(max(count.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    return f"{count / 2 ** (10 * power):.3g} {UNITS[power]}"


def does_not_fit(needed):
    """Why bytes do not fit into memory, in words for an error; None if they do, or if nobody knows."""
    free = free_memory()
    return None if free is None or needed <= free else f"{in_units(needed)}, with {in_units(max(free, 0))} free"


def _numbers(path):
    """{name: number} of the lines "name: number ..." of one of Linux's files; empty if there is no such file."""
    try:
        lines = [line.replace(":", " ").split() for line in path.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def _of_the_machine():
    found = _numbers(Path("/proc/meminfo")).get("MemAvailable")
    return [] if found is None else [found * 1024]


def _of_groups():
    """What is left in each of the groups that Linux counts this process in, such as a container's."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, kinds, own = line.split(":", 2)
        for place, kind, most_name, used_name, cached_name in LIMITS:
            if kind not in kinds.split(","):
                continue
            group = place / own.lstrip("/")
            for folder in (group, *group.parents[: len(group.parts) - len(place.parts)]):
                try:
                    most, used = (int((folder / name).read_text(encoding="ascii")) for name in (most_name, used_name))
                except (OSError, ValueError):  # no such group, or "max"
                    continue
                yield most - used + _numbers(folder / "memory.stat").get(cached_name, 0)  # which Linux gives back


def _of_limits():
    try:
        import resource
    except ImportError:  # Windows
        return
    status = _numbers(Path("/proc/self/status"))
    for name, kind in (("VmSize", resource.RLIMIT_AS), ("VmData", resource.RLIMIT_DATA)):
        most, _ = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY and name in status:
            yield most - status[name] * 1024
