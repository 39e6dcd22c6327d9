package dev.layerwise.train;

/** Is told how a run goes, on the training thread. */
public interface TrainingListener {
  /** An epoch has been trained and evaluated. */
  void epochEnded(EpochReport report);
}
