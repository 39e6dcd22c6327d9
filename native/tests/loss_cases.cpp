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
  int64_t codes = 0;          // this many labels have codes of `classes` bits
  bool feedback = false;
  double bias = 0.5;
  double label_smoothing = 0;
  bool mixed = false;         // targets of two classes in place of labels
};

void run_classifier_loss(Operands& operands, const ClassifierCase& classifier) {
  const Shape& x = classifier.x;
  const Shape weight{classifier.classes, x.h, x.w, x.c};
  const double features = static_cast<double>(x.features());
  ClassifierLoss op;
  op.x = operands.activation(x);
  op.weight = classifier.zero_weight ? operands.activation(weight, 0, 0) : operands.weight(weight);
  const double bias = classifier.zero_weight ? 0 : classifier.bias;
  op.bias = operands.parameter(Shape::vector(classifier.classes), -bias, bias);
  const int64_t label_count = classifier.codes > 0 ? classifier.codes : classifier.classes;
  if (classifier.mixed)
    op.targets = operands.mixed_targets(x.n, classifier.classes);
  else if (classifier.labels)
    op.labels = operands.integers(x.n, label_count);
  if (classifier.codes > 0) {
    // A third of the entries are 0: bits that are not set.
    op.projection = operands.parameter_with_zeros(Shape::matrix(classifier.classes, classifier.codes), -0.25, 0.25);
  }
  if (classifier.feedback) op.feedback = operands.weight(weight);
  op.label_smoothing = classifier.label_smoothing;
  op.gradient_scale = classifier.gradient_scale;
  // Each gradient sums products with d logits, which carry the rounding of the logits.
  if (classifier.gradients) {
    const Tolerance tolerance{features + static_cast<double>(x.n + classifier.classes), 0};
    op.d_weight = operands.parameter_output("d_weight", weight, tolerance);
    op.d_bias = operands.parameter_output("d_bias", Shape::vector(classifier.classes), tolerance);
    if (classifier.d_x) op.d_x = operands.activation_output("d_x", x, tolerance);
  }
  if (classifier.logits) {
    op.logits = operands.parameter_output("logits", Shape::matrix(x.n, classifier.classes), {features + 1, 0, 0});
  }
  if (classifier.labels) {
    op.metrics = operands.metrics({features + static_cast<double>(x.n + classifier.classes), 0, 0});
  }
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
  int64_t code_size = 0;      // 0: one-hot labels
  bool labels = true;
  Shape input = {};           // of the features that the other target is made of
  double input_scale = 0;
  int64_t first_row = 0, rows = 0;  // a part of the rows
  bool mixed = false;         // targets of two classes in place of labels
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
  if (similarity.mixed)
    op.targets = operands.mixed_targets(x.n, similarity.classes);
  else if (similarity.labels)
    op.labels = operands.integers(x.n, similarity.classes);
  op.classes = similarity.classes;
  if (similarity.code_size > 0) {
    op.projection = operands.parameter(Shape::matrix(similarity.code_size, similarity.classes), -0.25, 0.25);
  }
  op.gradient_scale = similarity.gradient_scale;
  if (similarity.input.n > 0) {
    op.input = similarity.deviations ? operands.parameter_with_zeros(similarity.input, 0, 1)
                                     : operands.activation(similarity.input);
    op.input_scale = similarity.input_scale;
  }
  // Products in the longest chain: those of R, of one of its targets, and of R's gradient with X.
  const double terms =
      features + samples + static_cast<double>(similarity.code_size + similarity.input.features()) +
      static_cast<double>(similarity.mixed ? similarity.classes : 0);
  const double roundings = similarity.deviations || similarity.nonnegative ? 0 : 4;
  op.first_row = similarity.first_row;
  op.rows = similarity.rows;
  const int64_t rows = op.row_count();
  if (similarity.gradient) {
    // dX = 4/N² (R − T) X: entries of R − T that should vanish, the diagonal's, leave about
    // 4/N² · |x_i| / ‖x‖² per element, with ‖x‖² about F/3.
    op.d_x = operands.output("d_x", op.x.type, x.of_samples(rows),
                             {terms, (similarity.gradient_scale + similarity.input_scale) * 12 /
                                         (samples * samples * features), roundings});
  }
  if (similarity.inspected) {
    op.similarity = operands.parameter_output("similarity", Shape::matrix(rows, x.n), {features, 0, roundings});
    if (similarity.labels) {
      op.target = operands.parameter_output("target", Shape::matrix(rows, x.n),
                                            {1 + static_cast<double>(similarity.mixed ? similarity.classes : similarity.code_size), 0, 0});
    }
  }
  op.metrics = operands.metrics({terms, 0, roundings});
  operands.backend().similarity_loss(op);
}

struct ReconstructionCase {
  std::string name;
  Shape x;
  int64_t channels;  // of h
  int64_t kernel = 3;  // 0: the linear map
  double negative_slope = 0;
  double gradient_scale = 1;
};

/// The gradient of ReLU jumps at 0: the drawn values hold no decoder output that rounding could move across.
void run_reconstruction_loss(Operands& operands, const ReconstructionCase& reconstruction) {
  const Shape& x = reconstruction.x;
  const Shape h{x.n, x.h, x.w, reconstruction.channels};
  const int64_t kernel = reconstruction.kernel;
  ReconstructionLoss op;
  op.transposed = kernel > 0;
  op.convolution = {kernel, kernel, 1, kernel / 2};
  op.negative_slope = reconstruction.negative_slope;
  op.h = operands.hidden(h, reconstruction.negative_slope);
  op.x = operands.activation(x);
  const Shape weight = op.transposed ? Shape{h.c, kernel, kernel, x.c} : Shape::matrix(x.c, h.c);
  op.weight = operands.weight(weight);
  op.bias = operands.parameter(Shape::vector(x.c), -0.25, 0.25);
  op.gradient_scale = reconstruction.gradient_scale;
  const double taps = op.transposed ? static_cast<double>(kernel * kernel) : 1;
  const double decoder_terms = taps * static_cast<double>(h.c) + 3;
  const double sum_terms = decoder_terms + static_cast<double>(x.n * x.positions());
  op.d_weight = operands.parameter_output("d_weight", weight, {sum_terms, 0});
  op.d_bias = operands.parameter_output("d_bias", Shape::vector(x.c), {sum_terms, 0});
  op.d_h = operands.activation_output("d_h", h, {decoder_terms + taps * static_cast<double>(x.c), 0});
  op.metrics = operands.metrics({sum_terms, 0});
  operands.backend().reconstruction_loss(op);
}

template <class Case>
Case changed(Case one, const std::function<void(Case&)>& change) {
  change(one);
  return one;
}

}  // namespace

void add_loss_cases_in_eights(std::vector<OperationCase>& cases) {
  for (const ReconstructionCase& one : {ReconstructionCase{"eights_16x16", {16, 16, 16, 24}, 40, 3, 0.01},
                                        ReconstructionCase{"eights_odd", {3, 7, 5, 8}, 16, 3, 0.01}})
    cases.push_back({"reconstruction_loss_" + one.name,
                     [=](Operands& operands) { run_reconstruction_loss(operands, one); }});
}

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
      {"several_tiles", {130, 1, 1, 200}, 72, 0.5},
      changed<C>({"zero_weights", {16, 1, 1, 33}, 10}, [](C& c) { c.zero_weight = true; }),
      changed<C>({"no_d_x", {5, 2, 2, 5}, 10}, [](C& c) { c.d_x = false, c.logits = false; }),
      changed<C>({"loss_only", {5, 1, 1, 33}, 100}, [](C& c) { c.gradients = false; }),
      changed<C>({"large_logits", {9, 1, 1, 33}, 10}, [](C& c) { c.bias = 128; }),
      changed<C>({"feedback", {7, 2, 3, 16}, 10, 0.5}, [](C& c) { c.feedback = true; }),
      changed<C>({"smoothed", {9, 1, 1, 33}, 10}, [](C& c) { c.label_smoothing = 0.125; }),
      changed<C>({"smoothed_several_tiles", {130, 1, 1, 200}, 300, 0.5}, [](C& c) { c.label_smoothing = 0.1; }),
      changed<C>({"smoothed_large_logits", {9, 1, 1, 33}, 10}, [](C& c) { c.bias = 128, c.label_smoothing = 0.75; }),
      changed<C>({"smoothed_loss_only", {5, 1, 1, 33}, 2},
                 [](C& c) { c.gradients = false, c.label_smoothing = 0.25; }),
      changed<C>({"mixed", {9, 1, 1, 33}, 10, 0.5}, [](C& c) { c.mixed = true; }),
      changed<C>({"mixed_smoothed_several_tiles", {130, 1, 1, 200}, 300}, [](C& c) { c.mixed = true, c.label_smoothing = 0.1; }),
      changed<C>({"mixed_large_logits", {9, 1, 1, 33}, 10}, [](C& c) { c.bias = 128, c.mixed = true; }),
      changed<C>({"mixed_zero_weights", {16, 1, 1, 33}, 2}, [](C& c) { c.zero_weight = true, c.mixed = true; }),
      changed<C>({"mixed_loss_only", {5, 1, 1, 33}, 100}, [](C& c) { c.gradients = false, c.mixed = true; }),
      changed<C>({"codes", {9, 1, 1, 33}, 128, 0.5}, [](C& c) { c.codes = 10; }),
      changed<C>({"codes_feedback", {5, 2, 2, 16}, 100}, [](C& c) { c.codes = 100, c.feedback = true; }),
      changed<C>({"codes_zero_weights", {16, 1, 1, 33}, 5}, [](C& c) { c.codes = 10, c.zero_weight = true; }),
      changed<C>({"codes_large_logits", {9, 1, 1, 33}, 16}, [](C& c) { c.codes = 10, c.bias = 128; }),
      changed<C>({"codes_one_bit", {3, 1, 1, 5}, 1}, [](C& c) { c.codes = 2, c.feedback = true; }),
      changed<C>({"codes_loss_only", {5, 1, 1, 33}, 16}, [](C& c) { c.codes = 10, c.gradients = false; }),
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
      changed<S>({"batch_of_tiles_and_targets", {130, 1, 1, 200}, 10, 0.5}, [](S& s) {
        s.code_size = 16, s.inspected = true, s.input = {130, 1, 1, 100}, s.input_scale = 0.5;
      }),
      changed<S>({"deviations", {16, 1, 1, 33}, 10},
                 [](S& s) { s.deviations = s.nonnegative = s.inspected = true; }),
      changed<S>({"zero_vectors", {5, 1, 1, 16}, 10}, [](S& s) { s.high = 0, s.inspected = true; }),
      changed<S>({"inspected", {7, 3, 2, 16}, 100}, [](S& s) { s.inspected = true; }),
      changed<S>({"loss_only", {7, 1, 1, 16}, 10}, [](S& s) { s.gradient = false; }),
      changed<S>({"codes", {9, 1, 1, 33}, 10, 0.5}, [](S& s) { s.code_size = 128, s.inspected = true; }),
      changed<S>({"codes_of_three", {33, 2, 2, 5}, 100}, [](S& s) { s.code_size = 3, s.inspected = true; }),
      changed<S>({"mixed", {9, 1, 1, 33}, 10, 0.5}, [](S& s) { s.mixed = s.inspected = true; }),
      changed<S>({"mixed_two_classes", {33, 2, 2, 5}, 2}, [](S& s) { s.mixed = s.inspected = true; }),
      changed<S>({"mixed_classes_100_and_input", {130, 1, 1, 64}, 100, 0.5}, [](S& s) {
        s.mixed = true, s.input = {130, 1, 1, 100}, s.input_scale = 0.5;
      }),
      changed<S>({"mixed_rows", {64, 1, 1, 64}, 10}, [](S& s) { s.mixed = s.inspected = true, s.first_row = 33, s.rows = 20; }),
      changed<S>({"input", {9, 1, 1, 33}, 0}, [](S& s) {
        s.labels = false, s.inspected = true, s.input = {9, 6, 5, 3}, s.input_scale = 0.25, s.gradient_scale = 0;
      }),
      changed<S>({"input_deviations", {16, 1, 1, 33}, 0}, [](S& s) {
        s.labels = false, s.deviations = s.nonnegative = true, s.input = {16, 1, 1, 16}, s.input_scale = 1;
      }),
      changed<S>({"labels_and_input", {17, 3, 2, 16}, 10, 0.75}, [](S& s) {
        s.inspected = true, s.input = {17, 4, 4, 5}, s.input_scale = 0.25;
      }),
      changed<S>({"codes_and_input", {17, 1, 1, 33}, 10, 0.5}, [](S& s) {
        s.code_size = 16, s.input = {17, 1, 1, 100}, s.input_scale = 0.5;
      }),
      changed<S>({"rows", {130, 1, 1, 64}, 10}, [](S& s) { s.first_row = 33, s.rows = 50; }),
      changed<S>({"first_rows", {9, 1, 1, 33}, 10}, [](S& s) { s.rows = 4; }),
      changed<S>({"last_rows_and_targets", {130, 1, 1, 200}, 10, 0.5}, [](S& s) {
        s.first_row = 100, s.rows = 30;
        s.code_size = 16, s.inspected = true, s.input = {130, 1, 1, 100}, s.input_scale = 0.5;
      }),
      changed<S>({"rows_loss_only", {64, 1, 1, 16}, 10}, [](S& s) { s.gradient = false, s.first_row = 60, s.rows = 4; }),
      changed<S>({"both_loss_only", {7, 1, 1, 16}, 10}, [](S& s) { s.gradient = false, s.input = {7, 1, 1, 5}; }),
  };
  for (const SimilarityCase& one : similarities) {
    cases.push_back({"similarity_loss_" + one.name,
                     [=](Operands& operands) { run_similarity_loss(operands, one); }});
  }

  const double leaky = 0.01;
  const std::vector<ReconstructionCase> reconstructions = {
      {"one_of_everything", {1, 1, 1, 1}, 1, 1},
      {"usual", {2, 8, 8, 16}, 32},
      {"leaky", {2, 8, 8, 16}, 32, 3, leaky, 0.25},
      {"three_channels", {3, 6, 6, 3}, 16, 3, leaky},
      {"gray_odd_map", {2, 9, 5, 1}, 5},
      {"odd_channels", {2, 5, 7, 33}, 5, 3, 1},
      {"kernel_1x1", {2, 6, 6, 16}, 33, 1, leaky, 0.5},
      {"kernel_5x5", {2, 6, 7, 3}, 5, 5},
      {"map_1x1", {3, 1, 1, 5}, 2, 3, leaky},
      {"several_tiles", {5, 16, 16, 32}, 64, 3, leaky},
      {"linear", {9, 1, 1, 33}, 100, 0},
      {"linear_leaky", {16, 1, 1, 100}, 33, 0, leaky, 0.25},
      {"linear_one_sample", {1, 1, 1, 16}, 5, 0, leaky},
  };
  for (const ReconstructionCase& one : reconstructions) {
    cases.push_back({"reconstruction_loss_" + one.name,
                     [=](Operands& operands) { run_reconstruction_loss(operands, one); }});
  }
}

}  // namespace layerwise::test
