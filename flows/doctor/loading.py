"""Loading a shared library as TensorFlow would, in a process of its own: a broken one can end the process.

`python -m flows.doctor.loading LIBRARY` prints the library's version, where it tells one.
"""

import ctypes
import os
import site
import sys
from dataclasses import dataclass
from pathlib import Path

from flows.doctor.asking import ask


@dataclass(frozen=True)
class Library:
    """A library that was tried.

    Attributes:
        name: such as `libcudnn.so.9`.
        place: the file, or the bare name where the system looked for it.
        version: as the library tells it, or empty.
        fault: the loader's sentence, where it does not load.
    """

    name: str
    place: str
    version: str = ""
    fault: str | None = None


def load(name: str) -> Library:
    """Try one library."""
    place = find(name)
    answer = ask([sys.executable, "-m", "flows.doctor.loading", place], 60)
    return Library(name, place, answer.said.strip(), answer.fault and (answer.said.strip() or answer.fault))


def find(name: str) -> str:
    """Return the file that TensorFlow takes: in LD_LIBRARY_PATH, else of NVIDIA's packages, else the system's."""
    folders = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    for packages in site.getsitepackages():
        folders += sorted(Path(packages).glob("nvidia/*/lib"))
    return next((str(folder / name) for folder in folders if (folder / name).exists()), name)


def start(library: ctypes.CDLL) -> str:
    """Start the driver's library, or ask the CUDA runtime or cuDNN for its version; others tell none.

    Raises:
        OSError: the driver does not start; in its words.
    """
    number = ctypes.c_int()
    if hasattr(library, "cuInit"):
        if status := library.cuInit(0):
            words = ctypes.c_char_p()
            library.cuGetErrorString(status, ctypes.byref(words))
            raise OSError(f"cuInit: {(words.value or b'error').decode()} ({status})")
    elif hasattr(library, "cudaRuntimeGetVersion"):
        library.cudaRuntimeGetVersion(ctypes.byref(number))
        return f"{number.value // 1000}.{number.value % 1000 // 10}"
    elif hasattr(library, "cudnnGetVersion"):
        library.cudnnGetVersion.restype = ctypes.c_size_t
        found = library.cudnnGetVersion()
        return f"{found // 10000}.{found % 10000 // 100}.{found % 100}"
    return ""


def main() -> None:
    """Load the library that is named; where it does not load, print the loader's sentence."""
    try:
        print(start(ctypes.CDLL(sys.argv[1])))  # noqa: T201 - the line is the program's output
    except OSError as error:
        print(error)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
