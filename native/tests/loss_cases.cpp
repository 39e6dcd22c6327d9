#include "operation_cases.h"

namespace layerwise::test {

namespace {

struct ClassifierCase {
  std::string name;
  Shape x;
  int64_t classes;
  double gradient_scale = 1;
  bool zero_weight = false;  // as training starts: all logits equal, the first of equals counts
  bool labels = true, gradients = true, d_x = true, logits = true;
};

void run_classifier_loss(Operands& operands, const ClassifierCase& classifier) {
  const Shape& x = classifier.x;
  const Shape weight{classifier.classes, x.h, x.w, x.c};
  const double features = static_cast<double>(x.features());
  ClassifierLoss op;
  op.x = operands.activation(x);
  op.weight = classifier.zero_weight ? operands.parameter(weight, 0, 0) : operands.weight(weight);
  op.bias = classifier.zero_weight ? operands.parameter(Shape::vector(classifier.classes), 0, 0)
                                   : operands.parameter(Shape::vector(classifier.classes), -0.5, 0.5);
  if (classifier.labels) op.labels = operands.integers(x.n, classifier.classes);
  op.gradient_scale = classifier.gradient_scale;
  // Each gradient sums products with d logits, which carry the rounding of the logits.
  if (classifier.gradients) {
    const Tolerance tolerance{features + static_cast<double>(x.n + classifier.classes), 0};
    op.d_weight = operands.parameter_output("d_weight", weight, tolerance);
    op.d_bias = operands.parameter_output("d_bias", Shape::vector(classifier.classes), tolerance);
    if (classifier.d_x) op.d_x = operands.activation_output("d_x", x, tolerance);
  }
  if (classifier.logits) {
    op.logits = operands.parameter_output("logits", Shape::matrix(x.n, classifier.classes), {features + 1, 0});
  }
  if (classifier.labels) op.metrics = operands.metrics({features + static_cast<double>(x.n + classifier.classes), 0});
  operands.backend().classifier_loss(op);
}

struct SimilarityCase {
  std::string name;
  Shape x;
  int64_t classes;
  double gradient_scale = 1;
  bool deviations = false;    // x is a matrix of parameters' type, else activations
  bool nonnegative = false;   // with every third element 0, as standard deviations of dead channels are
  bool inspected = false;
  bool gradient = true;
  double high = 1;            // 0: all vectors zero
};

void run_similarity_loss(Operands& operands, const SimilarityCase& similarity) {
  const Shape& x = similarity.x;
  const double samples = static_cast<double>(x.n), features = static_cast<double>(x.features());
  const double low = similarity.nonnegative ? 0 : -similarity.high;
  SimilarityLoss op;
  if (similarity.nonnegative) {
    op.x = operands.parameter_with_zeros(x, low, similarity.high);
  } else {
    op.x = similarity.deviations ? operands.parameter(x, low, similarity.high)
                                 : operands.activation(x, low, similarity.high);
  }
  op.labels = operands.integers(x.n, similarity.classes);
  op.classes = similarity.classes;
  op.gradient_scale = similarity.gradient_scale;
  if (similarity.gradient) {
    // dX = 4/N² (R − T) X: entries of R − T that should vanish, the diagonal's, leave about
    // 4/N² · |x_i| / ‖x‖² per element, with ‖x‖² about F/3.
    op.d_x = operands.output("d_x", op.x.type, x,
                             {features + samples, similarity.gradient_scale * 12 / (samples * samples * features)});
  }
  if (similarity.inspected) {
    op.similarity = operands.parameter_output("similarity", Shape::matrix(x.n, x.n), {features, 0});
    op.target = operands.parameter_output("target", Shape::matrix(x.n, x.n), {1, 0});
  }
  op.metrics = operands.metrics({features + samples, 0});
  operands.backend().similarity_loss(op);
}

template <class Case>
Case changed(Case one, const std::function<void(Case&)>& change) {
  change(one);
  return one;
}

}  // namespace

void add_loss_cases(std::vector<OperationCase>& cases) {
  using C = ClassifierCase;
  const std::vector<ClassifierCase> classifiers = {
      {"linear", {9, 1, 1, 33}, 10},
      {"map", {4, 2, 3, 16}, 10},
      {"weighted", {7, 2, 2, 5}, 10, 0.0078125},
      {"one_sample", {1, 1, 1, 16}, 10},
      {"two_classes", {5, 1, 1, 3}, 2},
      {"one_feature", {5, 1, 1, 1}, 5},
      {"classes_100", {33, 4, 4, 16}, 100, 0.5},
      {"many_features", {5, 8, 8, 32}, 10},
      changed<C>({"zero_weights", {16, 1, 1, 33}, 10}, [](C& c) { c.zero_weight = true; }),
      changed<C>({"no_d_x", {5, 2, 2, 5}, 10}, [](C& c) { c.d_x = false, c.logits = false; }),
      changed<C>({"loss_only", {5, 1, 1, 33}, 100}, [](C& c) { c.gradients = false; }),
      changed<C>({"logits_only", {5, 2, 1, 33}, 10}, [](C& c) { c.labels = false, c.gradients = false; }),
  };
  for (const ClassifierCase& one : classifiers) {
    cases.push_back({"classifier_loss_" + one.name,
                     [=](Operands& operands) { run_classifier_loss(operands, one); }});
  }

  using S = SimilarityCase;
  const std::vector<SimilarityCase> similarities = {
      {"linear", {9, 1, 1, 33}, 10},
      {"flat_map", {4, 5, 7, 3}, 10, 0.9921875},
      {"three_features", {5, 1, 1, 3}, 2},
      {"one_feature", {5, 1, 1, 1}, 10},  // centred vectors are zero
      {"one_sample", {1, 1, 1, 16}, 10},
      {"classes_100", {33, 1, 1, 100}, 100},
      {"two_classes", {16, 2, 2, 5}, 2},
      {"batch_of_tiles", {130, 1, 1, 64}, 10},
      changed<S>({"deviations", {16, 1, 1, 33}, 10},
                 [](S& s) { s.deviations = s.nonnegative = s.inspected = true; }),
      changed<S>({"zero_vectors", {5, 1, 1, 16}, 10}, [](S& s) { s.high = 0, s.inspected = true; }),
      changed<S>({"inspected", {7, 3, 2, 16}, 100}, [](S& s) { s.inspected = true; }),
      changed<S>({"loss_only", {7, 1, 1, 16}, 10}, [](S& s) { s.gradient = false; }),
  };
  for (const SimilarityCase& one : similarities) {
    cases.push_back({"similarity_loss_" + one.name,
                     [=](Operands& operands) { run_similarity_loss(operands, one); }});
  }
}

}  // namespace layerwise::test
