"""Prints what TensorBoard's own reader finds in a run's folder, as one JSON object."""

import json
import os
import sys

from google.protobuf import json_format
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer as event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups, metadata


def main():
    folder, file = sys.argv[1:]
    records = sum(1 for _ in RawEventFileLoader(file).Load())  # checks every record's checksums
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})  # 0: keep all
    accumulator.Reload()
    scalars = {
        tag: [[event.step, event.value] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }
    content = accumulator.PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    print(json.dumps({
        "records": records,
        "scalars": scalars,
        "hparams": {name: json_format.MessageToDict(value) for name, value in start.hparams.items()},
        "status": end.status,
        "steps": steps(folder + "/steps"),
        "table": table(os.path.dirname(folder)),
    }))


def steps(folder):
    """All points of the sessions' files, as TensorBoard puts them together."""
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        tag: [[event.step, event.value] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def table(folder):
    """What the table of hyperparameters shows of the runs in a folder: the last test error."""
    multiplexer = event_multiplexer.EventMultiplexer().AddRunsFromDirectory(folder)
    multiplexer.Reload()
    context = base_plugin.TBContext(
        multiplexer=multiplexer, data_provider=data_provider.MultiplexerDataProvider(multiplexer, folder))
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[api_pb2.STATUS_SUCCESS], slice_size=10, start_index=0, aggregation_type=api_pb2.AGGREGATION_AVG)
    backend = backend_context.Context(context)
    request_context = RequestContext()
    metrics = backend.experiment_from_metadata(
        request_context, "", True, backend.hparams_metadata(request_context, ""), []).metric_infos
    request.col_params.extend(
        [api_pb2.ColParams(metric=info.name) for info in metrics if info.name.tag == "error/test"])
    groups = list_session_groups.Handler(request_context, backend, "", request).run().session_groups
    return [
        {value.name.tag: value.value for value in group.metric_values if value.name.tag == "error/test"}
        for group in groups
    ]


main()
