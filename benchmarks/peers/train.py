"""Trains a network block by block with local errors, or by backpropagation, and reports errors and speed.

Prints one line per epoch and, at the end, one line of JSON with the configuration and all epochs.
"""

import argparse
import json
import pathlib
import sys
import time

import torch

from datasets import RECIPES, Images
from local_loss import LOSSES, NEGATIVE_SLOPE, BlockOptions
from networks import MODELS, create_network

EVALUATION_BATCH = 500


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=RECIPES, required=True)
    parser.add_argument("--data-dir", type=pathlib.Path, required=True, help="folder of the four IDX files")
    parser.add_argument("--model", choices=MODELS, default="vgg8b")
    parser.add_argument("--feat-mult", type=float, default=1.0, help="factor of the convolutions' channels")
    parser.add_argument("--num-layers", type=int, default=1, help="linear hidden layers")
    parser.add_argument("--num-hidden", type=int, default=1024, help="units of a linear hidden layer")
    parser.add_argument("--loss", choices=[loss for loss in LOSSES if loss != "none"], default="predsim")
    parser.add_argument("--beta", type=float, default=0.99, help="weight of the similarity loss in predsim")
    parser.add_argument("--no-similarity-std", action="store_true", help="compare flattened maps, not deviations")
    parser.add_argument("--backprop", action="store_true", help="one global loss instead of local ones")
    parser.add_argument("--no-batch-norm", action="store_true")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=5e-4, help="learning rate of Adam")
    parser.add_argument("--lr-decay-milestones", type=int, nargs="*", default=[], metavar="EPOCH")
    parser.add_argument("--lr-decay-fact", type=float, default=0.25)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--nonlin", choices=NEGATIVE_SLOPE, default="relu")
    parser.add_argument("--dim-in-decoder", type=int, default=4096, help="maximum number of inputs of a local classifier")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 0, PyTorch's choice)")
    parser.add_argument("--channels-last", action="store_true", help="keep maps in NHWC memory layout")
    options = parser.parse_args(arguments)
    for name in ("feat_mult", "num_hidden", "epochs", "batch_size", "lr", "dim_in_decoder"):
        if getattr(options, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be above 0.")
    if options.num_layers < 0 or not 0 <= options.dropout < 1 or not 0 <= options.beta <= 1:
        parser.error("--num-layers must not be negative, --dropout lies in [0, 1), --beta in [0, 1].")
    return options


def build_network(options, images):
    block_options = BlockOptions(
        classes=images.recipe.classes,
        loss="none" if options.backprop else options.loss,
        beta=options.beta,
        nonlinearity=options.nonlin,
        dropout=options.dropout,
        batch_norm=not options.no_batch_norm,
        similarity_std=not options.no_similarity_std,
        dim_in_decoder=options.dim_in_decoder,
    )
    network = create_network(
        options.model, 1, images.size, block_options, options.num_layers, options.num_hidden, options.feat_mult
    )
    if options.channels_last:
        network.to(memory_format=torch.channels_last)
    network.create_optimizers(lambda parameters: torch.optim.Adam(parameters, lr=options.lr))
    return network


def learning_rate(options, epoch):
    """Of an epoch counted from 1: lr · fact^(number of milestones <= epoch - 1)."""
    passed = sum(milestone <= epoch - 1 for milestone in options.lr_decay_milestones)
    return options.lr * options.lr_decay_fact**passed


def memory_format(options):
    return torch.channels_last if options.channels_last else torch.contiguous_format


def train_epoch(network, images, options, rate):
    """The share of training images that the network got wrong in the steps of this epoch."""
    network.train()
    for optimizer in network.optimizers():
        for group in optimizer.param_groups:
            group["lr"] = rate
    errors = torch.zeros((), dtype=torch.int64)
    for indices in torch.randperm(len(images)).split(options.batch_size):
        x, labels = images.batch(indices, augment=True)
        result = network.train_step(x.contiguous(memory_format=memory_format(options)), labels)
        errors += (result.logits.argmax(dim=1) != labels).sum()
    return errors.item() / len(images)


def evaluate(network, images, options):
    """The share of images that the network gets wrong in evaluation mode."""
    network.eval()
    errors = 0
    with torch.inference_mode():
        for indices in torch.arange(len(images)).split(EVALUATION_BATCH):
            x, labels = images.batch(indices, augment=False)
            logits = network(x.contiguous(memory_format=memory_format(options)))
            errors += (logits.argmax(dim=1) != labels).sum().item()
    return errors / len(images)


def run(options):
    torch.manual_seed(options.seed)
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    recipe = RECIPES[options.dataset]
    train_images = Images(options.data_dir, "train", recipe)
    test_images = Images(options.data_dir, "test", recipe)
    if len(train_images) % options.batch_size == 1 and not options.no_batch_norm:
        raise ValueError(
            f"The last batch would hold one of {len(train_images)} images, which batch normalisation cannot train on: "
            "choose another --batch-size."
        )
    network = build_network(options, train_images)

    epochs = []
    for epoch in range(1, options.epochs + 1):
        rate = learning_rate(options, epoch)
        begin = time.perf_counter()
        train_error = train_epoch(network, train_images, options, rate)
        seconds = time.perf_counter() - begin
        test_error = evaluate(network, test_images, options)
        epochs.append(
            {
                "epoch": epoch,
                "learning_rate": rate,
                "train_error_percent": round(100 * train_error, 4),
                "test_error_percent": round(100 * test_error, 4),
                "train_seconds": round(seconds, 3),
                "images_per_second": round(len(train_images) / seconds, 1),
            }
        )
        print(
            f"epoch {epoch}/{options.epochs}: train error {100 * train_error:.2f} %, test error "
            f"{100 * test_error:.2f} %, {seconds:.1f} s, {len(train_images) / seconds:.1f} images/s",
            flush=True,
        )
    configuration = {name: value for name, value in vars(options).items() if name != "data_dir"}
    configuration |= {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({"configuration": configuration, "epochs": epochs}))


def main():
    try:
        run(parse_arguments())
    except ValueError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
