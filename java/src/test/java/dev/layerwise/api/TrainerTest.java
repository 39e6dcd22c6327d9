package dev.layerwise.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.LayerwiseException;
import dev.layerwise.TestImageFolder;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.safetensors.SafeTensors;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training through the library. */
class TrainerTest {
  @TempDir private Path folder;

  private static Trainer trainer() {
    Network network = Network.named("mlp").hiddenLayers(2, 32).dropout(0.1).nonlinearity("leakyrelu").build();
    return new Trainer(network, DataSet.named("digits")).batchSize(64).device("cpu", 2).seed(5);
  }

  @Test
  void learnsAndReports() {
    List<Epoch> epochs = new ArrayList<>();
    Trainer.Outcome outcome =
        trainer().epochs(3).learningRate(5e-3).decay(0.5, 2).onEpoch(epochs::add).train(folder.resolve("run"));
    assertThat(outcome.finished()).isTrue();
    assertThat(outcome.testError()).isLessThan(30); // chance is 90 %
    assertThat(epochs).hasSize(3);
    assertThat(epochs.get(2).testError()).isEqualTo(outcome.testError());
    assertThat(epochs.get(0).layers()).hasSize(2).allMatch(layer -> layer.localError() != null);
    assertThatThrownBy(() -> trainer().train(folder.resolve("run"))).hasMessageContaining("already holds a run");
  }

  @Test
  void imagesAreHeldOut() {
    List<Epoch> epochs = new ArrayList<>();
    Path run = folder.resolve("run");
    trainer().epochs(1).validation(0.2).onEpoch(epochs::add).train(run);
    assertThat(epochs.get(0).validationError()).isLessThan(90).isNotEqualTo(epochs.get(0).testError());
    assertThat(epochs.get(0).validationLoss()).isPositive();
    assertThat(RecordedRun.read(run).config().training().batches().validation()).isEqualTo(0.2);
    assertThat(trainer().epochs(2).onEpoch(epochs::add).resume(run).epochs()).isEqualTo(2);
    assertThat(epochs.get(1).validationError()).as("a resumed run keeps them").isNotNull();
    assertThatThrownBy(() -> trainer().epochs(3).setting("validation", 0.1).resume(run))
        .hasMessageContaining("validation from 0.2 to 0.1");
  }

  /** Images that no network can tell apart. */
  private static DataSet noise() {
    byte[] pixels = new byte[64 * 4];
    new Random(3).nextBytes(pixels);
    int[] labels = IntStream.range(0, 64).map(i -> i % 7 % 2).toArray();
    return DataSet.of("noise", List.of("a", "b"), 1, 2, 2, pixels, labels, pixels, labels);
  }

  @Test
  void aRunEndsWithoutImprovementAndKeepsItsBestModel() {
    Network network = Network.named("mlp").hiddenLayers(1, 4).build();
    List<Epoch> epochs = new ArrayList<>();
    Trainer.Outcome outcome =
        new Trainer(network, noise()).epochs(40).batchSize(16).learningRate(1e-30).validation(0.25).patience(2)
            .device("cpu", 1).onEpoch(epochs::add).train(folder.resolve("run"));
    assertThat(outcome.ending()).isEqualTo(Trainer.Outcome.Ending.NO_IMPROVEMENT);
    assertThat(outcome.finished()).isTrue();
    assertThat(outcome.epochs()).isEqualTo(epochs.size()).isEqualTo(outcome.bestEpoch() + 2);
    assertThat(outcome.modelEpoch()).isEqualTo(outcome.bestEpoch());
    Epoch best = epochs.get(outcome.bestEpoch() - 1);
    assertThat(outcome.bestValidationError()).isEqualTo(best.validationError());
    assertThat(outcome.bestTestError()).isEqualTo(best.testError());
    assertThat(outcome.validationError()).isEqualTo(epochs.get(epochs.size() - 1).validationError());
    try (Model model = Model.open(folder.resolve("run"))) {
      assertThat(model.evaluate(noise()).error()).isEqualTo(best.testError());
    }
  }

  @Test
  void listenersAreToldOfEveryStepAndEpoch() {
    List<Progress> steps = new ArrayList<>();
    List<Epoch> epochs = new ArrayList<>();
    new Trainer(Network.named("mlp").hiddenLayers(1, 4).build(), noise()).epochs(2).batchSize(24).device("cpu", 1)
        .onProgress(Duration.ZERO, steps::add).onEpoch(epochs::add).train(folder.resolve("run"));
    assertThat(steps).extracting(Progress::epoch).containsExactly(1, 1, 1, 1, 1, 2, 2, 2, 2, 2);
    assertThat(steps).extracting(Progress::images).containsExactly(0, 24, 48, 64, 64, 0, 24, 48, 64, 64);
    assertThat(steps).allMatch(step -> step.ofImages() == 64 && step.epochs() == 2 && step.layers().size() == 1);
    assertThat(steps.get(9).trainLoss()).as("an epoch's last is the epoch").isEqualTo(epochs.get(1).trainLoss());
    assertThat(steps.get(9).layers()).isEqualTo(epochs.get(1).layers());
  }

  @Test
  void whatAListenerThrowsEndsTrainingAndTheRunGoesOn() {
    Path run = folder.resolve("run");
    IllegalStateException enough = new IllegalStateException("enough");
    assertThatThrownBy(() -> trainer().epochs(2).onEpoch(epoch -> { throw enough; }).train(run)).isSameAs(enough);
    assertThat(trainer().epochs(2).resume(run).finished()).isTrue();
  }

  @Test
  void aRunStopsWhenItsTimeIsUp() {
    Path run = folder.resolve("run");
    Trainer.Outcome outcome = trainer().epochs(2).timeLimit(Duration.ofNanos(1)).train(run);
    assertThat(outcome.ending()).isEqualTo(Trainer.Outcome.Ending.TIME_UP);
    assertThat(outcome.modelEpoch()).isNull();
    assertThat(trainer().epochs(2).resume(run).ending()).isEqualTo(Trainer.Outcome.Ending.EPOCHS_DONE);
    assertThatThrownBy(() -> trainer().timeLimit(Duration.ZERO)).isInstanceOf(LayerwiseException.class);
  }

  @Test
  void blocksAreFrozen() {
    List<Epoch> epochs = new ArrayList<>();
    trainer().epochs(3).freezeAfter(1, 2).onEpoch(epochs::add).train(folder.resolve("run"));
    assertThat(epochs.get(1).layers()).extracting(Epoch.LayerResult::frozen).containsExactly(true, false);
    assertThat(epochs.get(2).layers()).extracting(Epoch.LayerResult::frozen).containsExactly(true, true);
    assertThat(epochs.get(2).layers().get(0)).isEqualTo(epochs.get(1).layers().get(0));
    assertThat(epochs.get(2).trainLoss()).as("the output layer goes on").isLessThan(epochs.get(1).trainLoss());
    trainer().epochs(1).freezeAutomatically().train(folder.resolve("auto"));
    trainer().epochs(1).setting("freeze_after", "auto").resume(folder.resolve("auto"));
    assertThatThrownBy(() -> trainer().freezeAfter(1, 2, 3).train(folder.resolve("more")))
        .hasMessage("freeze_after has 3 epochs, but the network has only 2 hidden blocks to freeze");
    assertThatThrownBy(() -> trainer().freezeAfter(2, 1)).hasMessageContaining("do not fall");
  }

  @Test
  void aStoppedRunEndsWithTheSameBits() throws IOException {
    trainer().epochs(3).train(folder.resolve("whole"));
    Trainer stopping = trainer().epochs(3);
    Trainer.Outcome outcome = stopping.onEpoch(epoch -> stopping.requestStop()).train(folder.resolve("part"));
    assertThat(outcome.finished()).isFalse();
    assertThat(outcome.epochs()).isEqualTo(1);
    assertThat(trainer().epochs(3).resume(folder.resolve("part")).finished()).isTrue();
    assertThat(Files.readAllBytes(folder.resolve("part/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
  }

  @Test
  void aStoppedRunGoesOnWithTheFlipsOfItsEpochs() throws IOException {
    trainer().augmentation(1, true).epochs(2).train(folder.resolve("random"));
    flipping().train(folder.resolve("whole"));
    Trainer stopping = flipping();
    stopping.onEpoch(epoch -> stopping.requestStop()).train(folder.resolve("part"));
    assertThat(flipping().resume(folder.resolve("part")).epochs()).isEqualTo(2);
    byte[] whole = Files.readAllBytes(folder.resolve("whole/model.safetensors"));
    assertThat(Files.readAllBytes(folder.resolve("part/model.safetensors"))).isEqualTo(whole);
    assertThat(Files.readAllBytes(folder.resolve("random/model.safetensors"))).isNotEqualTo(whole);
  }

  private static Trainer flipping() {
    return trainer().augmentation(1, true).flip("alternating").epochs(2);
  }

  @Test
  void imageFoldersAreCutAsTheDataSetAndTheTrainerSay() throws IOException {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    DataSet data = DataSet.imageFolder(images, 16, 20, true, line -> { });
    Path run = folder.resolve("run");
    onFolder(data).epochs(1).flip("none").cropScale(0.25).train(run);
    TrainingConfig recorded = RecordedRun.read(run).config().training();
    assertThat(recorded.resize()).isEqualTo(20);
    assertThat(recorded.augmentation())
        .isEqualTo(Settings.with(Augmentation.NONE, "horizontal_flip", false, "crop_scale", 0.25));
    try (Model model = Model.open(run)) {
      assertThat(model.resize()).isEqualTo(20);
    }
    assertThat(onFolder(data).epochs(2).resume(run).epochs()).isEqualTo(2);
    refused("resize from 20 to 18",
        () -> onFolder(DataSet.imageFolder(images, 16, line -> { })).epochs(3).resume(run));
    refused("crop_scale from 0.25 to 0.5", () -> onFolder(data).epochs(3).cropScale(0.5).resume(run));
    refused("Images can be cut", () -> DataSet.imageFolder(images, 16, 15, true, line -> { }));
  }

  private static Trainer onFolder(DataSet data) {
    return new Trainer(Network.named("mlp").hiddenLayers(1, 8).build(), data).batchSize(16).device("cpu", 1);
  }

  @Test
  void aResumedRunKeepsWhatTheTrainerWasNotTold() throws IOException {
    Path run = folder.resolve("run");
    Trainer stopping = trainer().epochs(12).learningRate(2e-3);
    stopping.onEpoch(epoch -> stopping.requestStop()).train(run);
    Network same = Network.named("mlp").hiddenLayers(2, 32).dropout(0.1).nonlinearity("leakyrelu").build();
    Trainer untold = new Trainer(same, DataSet.named("digits"));
    untold.onEpoch(epoch -> untold.requestStop()).resume(run);
    RunConfig recorded = RecordedRun.read(run).config();
    assertThat(recorded.training().schedule().epochs()).isEqualTo(12);
    assertThat(recorded.training().schedule().lr()).isEqualTo(2e-3);
    assertThat(recorded.training().seed()).isEqualTo(5);
    assertThat(trainer().epochs(3).resume(run).epochs()).isEqualTo(3);

    byte[] model = Files.readAllBytes(run.resolve("model.safetensors"));
    assertThatThrownBy(() -> trainer().learningRate(1e-3).seed(6).resume(run))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("lr from 0.002 to 0.001")
        .hasMessageContaining("seed from 5 to 6");
    assertThat(Files.readAllBytes(run.resolve("model.safetensors"))).isEqualTo(model);
  }

  @Test
  void aRunIsNotResumedWithAnotherNetworkOrOtherData() {
    Path run = folder.resolve("run");
    trainer().epochs(1).train(run);
    Network smaller = Network.named("mlp").hiddenLayers(2, 16).dropout(0.1).nonlinearity("leakyrelu").build();
    assertThatThrownBy(() -> new Trainer(smaller, DataSet.named("digits")).epochs(2).resume(run))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("num_hidden from 32 to 16");
    Network same = Network.named("mlp").hiddenLayers(2, 32).dropout(0.1).nonlinearity("leakyrelu").build();
    assertThatThrownBy(() -> new Trainer(same, stripes("own", "a", "b")).epochs(2).resume(run))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("trains on the data set 'digits', not on 'own'");

    Path own = folder.resolve("own");
    new Trainer(same, stripes("own", "a", "b")).epochs(1).train(own);
    assertThatThrownBy(() -> new Trainer(same, stripes("own", "b", "a")).epochs(2).resume(own))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("has learned 'a' as class 0, but in own that is 'b'");
    byte[] pixels = new byte[3 * 3 * 2];
    DataSet larger = DataSet.of("own", List.of("a", "b"), 1, 3, 3, pixels, new int[2], pixels, new int[2]);
    assertThatThrownBy(() -> new Trainer(same, larger).epochs(2).resume(own))
        .hasMessageContaining("the run was made for 1×2×2 images, but those of own are 1×3×3");
    byte[] changed = new byte[4 * 2 * 2];
    DataSet darker = DataSet.of("own", List.of("a", "b"), 1, 2, 2, changed, new int[] {0, 1, 0, 1}, changed, new int[4]);
    assertThatThrownBy(() -> new Trainer(same, darker).epochs(2).resume(own))
        .isInstanceOf(LayerwiseException.class)
        .hasMessage("the training images are not those that the run was started with: 4 images then and now, but not the"
            + " same; put them back, or start a new run");
    assertThat(new Trainer(same, stripes("own", "a", "b")).epochs(2).resume(own).epochs()).isEqualTo(2);
  }

  private static DataSet stripes(String name, String... classes) {
    byte[] pixels = new byte[4 * 2 * 2];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (i % 2 == 0 ? 0 : 255);
    }
    return DataSet.of(name, List.of(classes), 1, 2, 2, pixels, new int[] {0, 1, 0, 1}, pixels, new int[4]);
  }

  @Test
  void startsFromWeights() {
    trainer().epochs(3).train(folder.resolve("first"));
    Trainer.Outcome again = trainer().epochs(1).initialWeights(folder.resolve("first")).train(folder.resolve("again"));
    Trainer.Outcome fresh = trainer().epochs(1).train(folder.resolve("fresh"));
    assertThat(again.testError()).isLessThan(fresh.testError());
  }

  @Test
  void startsFromTheWeightsThatFit() throws IOException {
    Path first = folder.resolve("first");
    trainer().epochs(1).train(first);
    Network network = Network.named("mlp").hiddenLayers(2, 32).dropout(0.1).nonlinearity("leakyrelu").build();
    byte[] pixels = new byte[4 * 64];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (i * 37);
    }
    int[] labels = {0, 1, 2, 0};
    DataSet threeClasses = DataSet.of("own", List.of("a", "b", "c"), 1, 8, 8, pixels, labels, pixels, labels);
    List<String> said = new ArrayList<>();
    Trainer partial =
        new Trainer(network, threeClasses).batchSize(4).epochs(1).learningRate(1e-30)
            .partialInitialWeights(first, said::add);
    partial.train(folder.resolve("partial"));
    assertThat(said.get(0)).matches("\\d+ of the network's \\d+ tensors come from .*model.safetensors");
    assertThat(said.get(1)).startsWith("of another shape or type in the file").contains("layer_out.weight");
    assertThat(weight(folder.resolve("partial"))).isEqualTo(weight(first));
    assertThat(RecordedRun.read(folder.resolve("partial")).config().init().takesWhatFits()).isTrue();

    said.clear();
    assertThat(partial.epochs(2).resume(folder.resolve("partial")).epochs()).isEqualTo(2);
    assertThat(said).as("a resumed run takes none").isEmpty();
    assertThatThrownBy(() -> partial.initialWeights(first).train(folder.resolve("strict")))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("do not fit the network; of another shape")
        .hasMessageNotContaining("--");
  }

  private static float[] weight(Path run) {
    return SafeTensors.read(run.resolve("model.safetensors")).tensors().get("layers.1.encoder.weight").toFloats();
  }

  @Test
  void imagesInMemoryAreNormalizedByTheirOwnStatistics() {
    DataSet data = stripes("own", "a", "b");
    assertThat(data.loaded().info().mean()).containsExactly(0.5f);
    assertThat(data.loaded().info().deviation()).containsExactly(0.5f);
    assertThat(data.testImage(1)).containsExactly(0, 255, 0, 255);
    assertThatThrownBy(() -> stripes("own", "a")).isInstanceOf(LayerwiseException.class);
    for (String taken : List.of("digits", "image-folder")) {
      assertThatThrownBy(() -> stripes(taken, "a", "b"))
          .isInstanceOf(LayerwiseException.class)
          .hasMessageContaining("'" + taken + "' is the name of a data set that Layerwise knows");
    }
  }

  @Test
  void whatCannotWorkIsSaidBeforeAnythingIsWritten() {
    Network network = Network.named("vgg8b").build();
    Path run = folder.resolve("none");
    assertThatThrownBy(() -> new Trainer(network, DataSet.named("digits")).train(run))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("too deep for 8×8 images");
    assertThat(run).doesNotExist();
    assertThatThrownBy(() -> Network.named("vgg9")).hasMessageContaining("unknown network 'vgg9'");
    assertThatThrownBy(() -> trainer().epochs(0)).isInstanceOf(LayerwiseException.class);
    assertThatThrownBy(() -> trainer().learningRate(Double.NaN)).isInstanceOf(LayerwiseException.class);
  }

  /** All settings are there under their names, those of later versions too. */
  @Test
  void everySettingHasAName() throws IOException {
    Network network =
        Network.named("mlp").setting("num_hidden", 8).setting("beta", 0.5).setting("similarity_std", true)
            .setting("label_smoothing", 0.125).build();
    Trainer trainer =
        new Trainer(network, DataSet.named("digits"))
            .setting("epochs", 1).setting("batch_size", 64).setting("weight_decay", 0.25).setting("crop_padding", 1);
    trainer.train(folder.resolve("run"));
    RunConfig recorded = RecordedRun.read(folder.resolve("run")).config();
    assertThat(recorded.model().architecture().numHidden()).isEqualTo(8);
    assertThat(recorded.model().losses().beta()).isEqualTo(0.5);
    assertThat(recorded.model().losses().labelSmoothing()).isEqualTo(0.125);
    assertThat(recorded.training().batches().batchSize()).isEqualTo(64);
    assertThat(recorded.optimizer().weightDecay()).isEqualTo(0.25);
    assertThat(recorded.training().augmentation().cropPadding()).isEqualTo(1);
    assertThatThrownBy(() -> trainer.setting("nesterof", true)).hasMessageContaining("no setting nesterof");
    assertThatThrownBy(() -> trainer.setting("epochs", "ten")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> trainer.setting("weight_decay", -1.0)).isInstanceOf(LayerwiseException.class);
  }

  @Test
  void settingsThatTheCommandLineRefusesAreRefused() {
    refused("batch_size 1 leaves batch normalization", () -> trainer().batchSize(1).train(folder.resolve("run")));
    refused("lr_decay_fact must be positive", () -> trainer().decay(0, 1));
    refused("lr_decay_fact must be positive", () -> trainer().decay(Double.POSITIVE_INFINITY, 1));
    refused("lr_decay_milestones must be in 1", () -> trainer().decay(0.5, 0));
    refused("lr must be positive", () -> trainer().learningRate(Double.POSITIVE_INFINITY));
    refused("momentum is a part of sgd", () -> trainer().optimizer("adam", 0.9, 0));
    refused("momentum must be at least 0", () -> trainer().optimizer("sgd", 1, 0));
    refused("weight_decay must be in 0", () -> trainer().optimizer("sgd", 0, Double.NaN));
    refused("unknown value 'rprop'", () -> trainer().optimizer("rprop", 0, 0));
    refused("crop_padding must be in 0", () -> trainer().augmentation(-1, false));
    refused("flip: unknown value 'both'", () -> trainer().flip("both"));
    refused("flip alternating does not go with horizontal_flip false",
        () -> trainer().augmentation(0, false).flip("alternating").train(folder.resolve("run")));
    refused("crop_scale is for images in files", () -> trainer().cropScale(0.5).train(folder.resolve("run")));
    refused("crop_scale must be in 0", () -> trainer().cropScale(1.5));
    refused("label_smoothing is for", () -> Network.named("mlp").bio(8).setting("label_smoothing", 0.1).build());
    refused("feat_mult scales convolutions", () -> Network.named("mlp").widthFactor(2).build());
    refused("feat_mult does not go with", () -> Network.named("wresnet16-8-adapted").widthFactor(2).build());
    refused("feat_mult must be positive", () -> Network.named("vgg8b").widthFactor(Double.NaN).build());
    refused("pre_act chooses", () -> Network.named("vgg8b").preactivation(true).build());
    refused("num_hidden must be in 1", () -> Network.named("mlp").hiddenLayers(1, 0).build());
    refused("resnet18 has none of those", () -> Network.named("resnet18").hiddenLayers(1, 16).build());
    refused("beta weighs", () -> Network.named("mlp").loss("pred").beta(0.5).build());
    refused("there are none with backprop", () -> Network.named("mlp").backpropagation().dimInDecoder(64).build());
    refused("dropout must be", () -> Network.named("mlp").dropout(1).build());
    refused("times 0.001", () -> Network.named("vgg6a").widthFactor(0.001).build().layers(DataSet.named("digits")));
    refused("cannot read the network /", () -> Network.described(Path.of("/")));
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void enumsAreTheSettingsOfTheirNames() {
    Network network =
        Network.named("mlp").hiddenLayers(1, 8).loss(LocalLoss.SIM).unsupervisedLoss(UnsupervisedLoss.RECON, 0.25)
            .nonlinearity(Nonlinearity.LEAKYRELU).build();
    Path run = folder.resolve("run");
    new Trainer(network, DataSet.named("digits")).epochs(1).optimizer(Optimizer.SGD, 0.9, 0.125)
        .device(Device.of("cpu", 1).with(Precision.FLOAT32)).train(run);
    RunConfig recorded = RecordedRun.read(run).config();
    assertThat(recorded.model().losses().loss()).isEqualTo("sim");
    assertThat(recorded.model().losses().lossUnsup()).isEqualTo("recon");
    assertThat(recorded.model().architecture().nonlin()).isEqualTo("leakyrelu");
    assertThat(recorded.optimizer().optim()).isEqualTo("sgd");
    assertThat(recorded.optimizer().momentum()).isEqualTo(0.9);
    assertThat(recorded.device().precision()).isEqualTo("f32");
    assertThat(Network.named("mlp").hiddenLayers(1, 8).backpropagation().build().layers(DataSet.named("digits")))
        .extracting(Layer::classifies).containsExactly(false, true);
    try (Model model = Model.open(run)) {
      assertThat(model.device().precision()).isEqualTo(Precision.FLOAT32);
    }
  }

  private static void refused(String message, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("--");
  }
}
