"""Say on one page whether this machine can train, and what to do where it can't: `python -m flows.doctor`.

The exit status is 0 where nothing fails, 1 otherwise.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Final

from flows.doctor import cards, gpu, probe, services, space, versions, workspace
from flows.doctor.check import OUTCOMES, Check, Examination, carry_out, read_need
from tasks.common.console import say

SECTIONS: Final[dict[str, dict[str, Examination]]] = {
    "versions": {"Python": versions.python, "packages": versions.packages, "scripts": versions.scripts},
    "GPU": {"GPU": gpu.gpu},
    "device": {"device": probe.works},
    "space": {"GPU memory": cards.memory, "disk": space.disk, "memory": space.memory},
    "workspace": {
        "git": workspace.git,
        "DVC": workspace.dvc,
        "params": workspace.params,
        "data": workspace.data,
        "DVC's lock": workspace.lock,
    },
    "services": {"Prefect": services.prefect, "DVC's remote": services.remote},
}
"""Every examination, by section and name, in the order of the page."""


def main() -> None:
    """Make all checks, show them, and exit as they came out."""
    parser = argparse.ArgumentParser(prog="python -m flows.doctor", description=__doc__)
    parser.add_argument("--require-gpu", action="store_true", help="fail where a GPU can't be used")
    parser.add_argument("--json", action="store_true", help="print the checks as a JSON list")
    arguments = parser.parse_args()
    need, made = read_need(require_gpu=arguments.require_gpu), []
    for section, examinations in SECTIONS.items():
        if not arguments.json:
            say(f"{section}:")
        for name, examination in examinations.items():
            found = carry_out(name, examination, need)
            made += [{"section": section, **asdict(check)} for check in found]
            if not arguments.json:
                show(found)
    count = Counter(check["outcome"] for check in made)
    say(json.dumps(made, indent=2) if arguments.json else f"doctor: {', '.join(f'{count[o]} {o}' for o in OUTCOMES)}")
    sys.exit(1 if count["fail"] else 0)


def show(checks: list[Check]) -> None:
    """Print a line of each check, and its mend on a second one."""
    for check in checks:
        say(f"{check.outcome}  {check.name:<17} {' '.join(check.found.split())}")
        if check.mend:
            say(f"      mend: {check.mend}")


if __name__ == "__main__":
    main()
