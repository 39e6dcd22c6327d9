"""Prints what TensorBoard's own reader finds in a run's folder, as one JSON object."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader


def main():
    folder, file = sys.argv[1:]
    records = sum(1 for _ in RawEventFileLoader(file).Load())  # checks every record's checksums
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})  # 0: keep all
    accumulator.Reload()
    scalars = {
        tag: [[event.step, event.value] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }
    print(json.dumps({"records": records, "scalars": scalars}))


main()
