"""Times training steps of several PyTorch processes over gloo, as `mpirun -n 2 layerwise bench step` does.

    torchrun --nproc-per-node 2 ddp_step.py --model vgg8b --batch-size 128 --threads 1

Every process has a slice of the batch. Batch norm and the similarity loss see this slice only, as PyTorch's
DistributedDataParallel has it by default; that is what `layerwise train --statistics local` does. Each block's gradients are
averaged when its backward pass is done, before its optimizer's step:

- ddp:     each block is a DistributedDataParallel, which sums a bucket while the backward pass goes on;
- block:   one all-reduce of all of a block's gradients, for which the step waits;
- overlap: the same, but the block's optimizer steps after the next block's backward pass, and sums meanwhile.

Other options, and what is printed by the first process, are those of gpu_step.py.
"""

import json
import sys

import torch
import torch.distributed as distributed
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gpu_step import BATCHES, Images, Trainer, make_parser, time_steps
from local_loss import BlockOptions
from networks import create_network


class LossModule(nn.Module):
    """A block's forward pass and loss as one module, which DistributedDataParallel needs."""

    def __init__(self, step):
        super().__init__()
        self.block = step.block
        self._step = [step]  # in a list: it is no child

    def forward(self, x, labels):
        return self._step[0]._forward(x, labels)


class OutputLoss(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.layer = network.output_layer()
        self.weight = network.output_loss_weight

    def forward(self, x, labels):
        return self.weight * F.cross_entropy(self.layer(x.flatten(1)), labels), None


class Sum:
    """The sum of all gradients of a module over processes, in one buffer that the gradients are views of."""

    def __init__(self, module, optimizer):
        self.parameters = list(module.parameters())
        self.optimizer = optimizer
        self.buffer = torch.zeros(sum(p.numel() for p in self.parameters))
        begin = 0
        for parameter in self.parameters:
            parameter.grad = self.buffer[begin : begin + parameter.numel()].view_as(parameter)
            begin += parameter.numel()
        self.work = None

    def clear(self):
        self.buffer.zero_()

    def start(self):
        self.buffer /= distributed.get_world_size()
        self.work = distributed.all_reduce(self.buffer, async_op=True)

    def finish(self):
        if self.work is not None:
            self.work.wait()
            self.work = None
            self.optimizer.step()


class ParallelTrainer(Trainer):
    def __init__(self, network, options):
        super().__init__(network, options)
        self.how = options.how
        modules = [LossModule(step) for step in self.blocks] + [OutputLoss(network)]
        optimizers = network.optimizers()
        if self.how == "ddp":
            self.modules = [
                DistributedDataParallel(module, gradient_as_bucket_view=True, broadcast_buffers=False)
                for module in modules
            ]
            self.optimizers = optimizers
        else:
            self.modules = modules
            self.sums = [Sum(module, optimizer) for module, optimizer in zip(modules, optimizers)]

    def step(self, x, labels):
        for position, module in enumerate(self.modules):
            with self.autocast():
                loss, output = module(x, labels)
            if self.how == "ddp":
                self.optimizers[position].zero_grad(set_to_none=True)
                loss.backward()
                self.optimizers[position].step()
            else:
                own = self.sums[position]
                own.clear()
                loss.backward()
                if self.how == "overlap" and position > 0:
                    self.sums[position - 1].finish()
                own.start()
                if self.how == "block":
                    own.finish()
            x = output
        if self.how == "overlap":
            self.sums[-1].finish()
        return loss.detach()


def run(options):
    torch.manual_seed(1)
    if options.threads:
        torch.set_num_threads(options.threads)
    rank, size = distributed.get_rank(), distributed.get_world_size()
    shape = tuple(int(extent) for extent in options.input.split("x"))
    network = create_network(
        options.model,
        shape[0],
        shape[1:],
        BlockOptions(options.classes, options.loss, nonlinearity="leakyrelu"),
        options.num_layers,
        options.num_hidden,
        options.feat_mult,
    )
    # DistributedDataParallel's buckets have rows first, so channels-last weights would be copied in each step.
    network = network.train() if options.how == "ddp" else network.to(memory_format=torch.channels_last).train()
    network.create_optimizers(lambda parameters: torch.optim.Adam(parameters, lr=1e-4, fused=True))
    trainer = ParallelTrainer(network, options)
    images = Images(BATCHES * options.batch_size, shape, options.classes, torch.device("cpu"))
    begin_row, end_row = options.batch_size * rank // size, options.batch_size * (rank + 1) // size

    times = time_steps(options, trainer, images, begin_row, end_row - begin_row, lambda: None)
    return {
        "event": "result",
        "model": options.model,
        "feat_mult": options.feat_mult,
        "how": options.how,
        "precision": options.precision,
        "torch": torch.__version__,
        "processes": size,
        "batch_size": options.batch_size,
        "steps": options.steps,
        **times,
    }


def main():
    parser = make_parser("Times training steps with local losses in several PyTorch processes.")
    parser.add_argument("--how", choices=("ddp", "block", "overlap"), default="block")
    parser.set_defaults(device="cpu", no_compile=True)
    options = parser.parse_args()
    if options.loss == "backprop":
        parser.error("only local losses are timed here")
    distributed.init_process_group("gloo")
    try:
        result = run(options)
        if distributed.get_rank() == 0:
            print(json.dumps(result))
    except ValueError as error:
        print(f"ddp_step.py: {error}", file=sys.stderr)
        return 1
    finally:
        distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
