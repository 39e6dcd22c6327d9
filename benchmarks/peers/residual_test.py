"""Properties of the residual networks: python -m unittest residual_test"""

import unittest

import torch

from local_loss import BlockOptions
from residual import RESNETS, create_residual_network


def create(model, loss="predsim", preactivation=False, dropout=0.0, feat_mult=1.0):
    torch.manual_seed(3)
    options = BlockOptions(10, loss=loss, nonlinearity="leakyrelu", dropout=dropout, dim_in_decoder=256)
    network = create_residual_network(model, 3, (32, 32), options, feat_mult, preactivation)
    network.create_optimizers(lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    return network


def train_step(network):
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    return network.train_step(x, torch.tensor([0, 1, 2, 0]))


def keep_only_loss_of(network, chosen):
    for block in network.blocks():
        if block is not chosen:
            compute = block.local_loss

            def muted(h, labels, compute=compute):
                loss = compute(h, labels)
                loss.similarity, loss.prediction = 0 * loss.similarity, 0 * loss.prediction
                return loss

            block.local_loss = muted


class LocalLossTest(unittest.TestCase):
    def check_isolation(self, preactivation):
        network = create("resnet18", preactivation=preactivation, feat_mult=0.125)
        shortcuts = {id(residual.blocks()[-1]): residual.shortcut for residual in network.residual_blocks()}
        names = {id(module): name for name, module in network.named_modules()}
        for position, block in enumerate(network.blocks()):
            network = create("resnet18", preactivation=preactivation, feat_mult=0.125)
            chosen = network.blocks()[position]
            keep_only_loss_of(network, chosen)
            train_step(network)
            moved = {
                name
                for name, parameter in network.named_parameters()
                if not name.startswith("linear.") and parameter.grad.abs().sum() > 0
            }
            name, shortcut = names[id(block)], shortcuts.get(id(block), ())
            own = {f"{name}.{parameter}" for parameter, _ in block.named_parameters()}
            weights = {f"{name}.encoder.weight", f"{name}.conv_loss.weight", f"{name}.decoder_y.weight"}
            if len(shortcut) > 0:
                own |= {f"{names[id(shortcut)]}.{parameter}" for parameter, _ in shortcut.named_parameters()}
                weights |= {f"{names[id(shortcut)]}.0.weight", f"{names[id(shortcut)]}.1.weight"}
            self.assertLessEqual(moved, own)
            self.assertLessEqual(weights, moved)

    def test_a_loss_trains_its_block_and_the_shortcut_into_it_alone(self):
        self.check_isolation(preactivation=False)

    def test_the_same_holds_with_preactivation(self):
        self.check_isolation(preactivation=True)

    def test_last_batch_norm_of_a_wide_resnet_learns_by_backpropagation_only(self):
        for loss, trained in (("predsim", False), ("none", True)):
            network = create("wresnet10-1", loss=loss)
            train_step(network)
            self.assertEqual(trained, not torch.equal(network.bn1.weight, torch.ones(64)))
            self.assertEqual(trained, not torch.equal(network.bn1.bias, torch.zeros(64)))


class StructureTest(unittest.TestCase):
    def test_parameter_counts_of_resnets_for_small_images(self):
        # Of the well-known ResNets for CIFAR-10 with a 3x3 first convolution.
        counts = (11_173_962, 21_282_122, 23_520_842, 42_512_970, 58_156_618)
        for name, count in zip(RESNETS, counts):
            network = create(name, loss="none")
            self.assertEqual(count, sum(parameter.numel() for parameter in network.parameters()), name)

    def test_backpropagation_has_no_batch_norm_for_losses(self):
        names = dict(create("resnet50", loss="none", preactivation=True, feat_mult=0.125).named_parameters())
        self.assertIn("layer1.0.conv1.bn_pre.weight", names)
        self.assertNotIn("layer1.0.conv1.bn.weight", names)
        self.assertIn("layer2.0.shortcut.1.weight", names)

    def test_dropout_acts_in_training_only(self):
        for model, preactivation in (("resnet18", False), ("resnet18", True), ("wresnet10-1", True)):
            feat_mult = 1.0 if model.startswith("w") else 0.125
            network = create(model, "none", preactivation, dropout=0.5, feat_mult=feat_mult)
            x = torch.randn(2, 3, 32, 32)
            self.assertFalse(torch.equal(network(x), network(x)))
            network.eval()
            self.assertTrue(torch.equal(network(x), network(x)))

    def test_plain_wide_resnets_drop_elements_between_convolutions_and_adapted_ones_channels_within(self):
        plain, adapted = (create(model, dropout=0.3).layer1[0] for model in ("wresnet10-1", "wresnet10-1-adapted"))
        rates = [(block.input_dropout.p, block.dropout.p) for block in (*plain.blocks(), *adapted.blocks())]
        self.assertEqual([(0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (0.0, 0.3)], rates)

    def test_names_that_are_no_network(self):
        for name in ("resnet19", "wresnet17-4", "wresnet4-1", "wresnet16-0", "wresnet16"):
            with self.assertRaises(ValueError):
                create(name)
        with self.assertRaises(ValueError):
            create("wresnet16-1", feat_mult=0.5)


if __name__ == "__main__":
    unittest.main()
