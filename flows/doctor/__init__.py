"""Can this machine train? One page of checks, each with its mend: `python -m flows.doctor`."""
