"""`python -m tasks.train`: train, and leave the network, its figures and its cost for the stages that follow."""

from tasks.common import paths
from tasks.common.errors import command
from tasks.common.processes import end_with_dvc
from tasks.common.reading import load_params


@command
def main() -> None:
    end_with_dvc()
    params = load_params(paths.PARAMS)
    from tasks.train import stage  # noqa: PLC0415 - Keras takes seconds to come, and bad parameters are said at once

    stage.run(params)


if __name__ == "__main__":
    main()
