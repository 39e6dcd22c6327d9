package dev.layerwise.data;

import java.util.List;

/** What labels mean: classes are known by their numbers only, so their names must stand in the same order everywhere. */
public final class ClassNames {
  private ClassNames() {}

  /**
   * Compares a data set's classes with those that a run or a model has learned.
   *
   * @param learned their names, in the order of the labels
   * @param whose how the run or the model is called, for the message
   * @throws DataException if the data set has others, or the same in another order
   */
  public static void requireSame(List<String> learned, DataSetInfo data, String whose) {
    List<String> given = data.classNames();
    if (given.size() != learned.size()) {
      throw new DataException(
          whose + " has learned " + learned.size() + " classes, but " + data.title() + " has " + given.size()
              + "; give the data set that it was trained on.");
    }
    for (int i = 0; i < learned.size(); i++) {
      if (!given.get(i).equals(learned.get(i))) {
        throw new DataException(
            whose + " has learned '" + learned.get(i) + "' as class " + i + ", but in " + data.title() + " that is '"
                + given.get(i) + "'; give data with the same class names in the same order.");
      }
    }
  }
}
