// Winograd's convolutions against plain ones in double, in both storage types.
#include "backend/cpu/winograd.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <ostream>
#include <vector>

#include "backend/reference/convolution.h"
#include "core/philox.h"

namespace layerwise::cpu {

namespace {

using Values = std::vector<double>;
constexpr Convolution geometry{3, 3, 1, 1};

struct Sizes {
  int64_t samples, height, width, in_channels, out_channels;
  Shape x() const { return {samples, height, width, in_channels}; }
  Shape y() const { return {samples, height, width, out_channels}; }
  Shape weight() const { return {out_channels, 3, 3, in_channels}; }
  Shape per_sample() const { return Shape::matrix(samples, out_channels); }
};

std::ostream& operator<<(std::ostream& stream, const Sizes& s) {
  return stream << s.x().to_string() << " to " << s.out_channels;
}

/// Uniform in [low, high).
Values draw(const Shape& shape, uint32_t purpose, double low = -1, double high = 1) {
  Values values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t word = philox({{static_cast<uint32_t>(i), purpose, 0, 0}}, 1, 2).word[0];
    values[i] = low + (high - low) * word / 4294967296.0;
  }
  return values;
}

template <class A>
A rounded(double value) {
  if constexpr (std::is_same_v<A, Bfloat16>)
    return to_bfloat16(static_cast<float>(value));
  else
    return static_cast<A>(value);
}
double exact(float value) { return value; }
double exact(double value) { return value; }
double exact(Bfloat16 value) { return to_float(value); }

/// Values of storage type A in memory that ends where they end, so that a sanitizer sees what is read or
/// written behind them.
template <class A>
class Stored {
 public:
  Stored(const Shape& shape, const Values& values) : shape_(shape), elements_(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) elements_[i] = rounded<A>(values[i]);
  }
  explicit Stored(const Shape& shape)  // an output
      : Stored(shape, Values(static_cast<size_t>(shape.elements()), std::numeric_limits<double>::quiet_NaN())) {}

  Tensor tensor() const {
    const DataType type = std::is_same_v<A, double>     ? DataType::float64
                          : std::is_same_v<A, Bfloat16> ? DataType::bfloat16
                                                        : DataType::float32;
    return {const_cast<A*>(elements_.data()), type, shape_};
  }
  Values values() const {
    Values result;
    for (const A& element : elements_) result.push_back(exact(element));
    return result;
  }

 private:
  Shape shape_;
  std::vector<A> elements_;
};

template <class A>
Values round_all(const Values& values) {
  Values result;
  for (const double value : values) result.push_back(exact(rounded<A>(value)));
  return result;
}

// The reference, in double.

Values convolve(const Sizes& sizes, const Values& x, const Values& weight, const Values& bias = {}) {
  const Stored<double> result(sizes.y());
  const Stored<double> stored_bias(Shape::vector(sizes.out_channels), bias);
  reference::convolve(geometry, Stored<double>(sizes.x(), x).tensor(),
                      Stored<double>(sizes.weight(), weight).tensor(),
                      bias.empty() ? Tensor() : stored_bias.tensor(), result.tensor());
  return result.values();
}

Values data_gradient(const Sizes& sizes, const Values& d_y, const Values& weight) {
  const Stored<double> result(sizes.x(), Values(static_cast<size_t>(sizes.x().elements()), 0.0));
  reference::add_convolution_data_gradient(geometry, Stored<double>(sizes.y(), d_y).tensor(),
                                           Stored<double>(sizes.weight(), weight).tensor(), result.tensor());
  return result.values();
}

Values weight_gradient(const Sizes& sizes, const Values& x, const Values& d_y) {
  const Stored<double> result(sizes.weight());
  reference::convolution_weight_gradient(geometry, Stored<double>(sizes.x(), x).tensor(),
                                         Stored<double>(sizes.y(), d_y).tensor(), result.tensor());
  return result.values();
}

double distance(const Values& a, const Values& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}
double norm(const Values& a) { return distance(a, Values(a.size(), 0.0)); }

/// float32: the bound of the table of operations, Tolerance in operands.h, for sums of `terms`.
/// bfloat16: three times `direct`, what a direct convolution of rounded operands is off by, if its own
/// sums were exact.
template <class A>
void expect_close(const Values& actual, const Values& expected, double terms, const Values& direct) {
  const double bound = std::is_same_v<A, float>
                           ? 2 * std::numeric_limits<float>::epsilon() * std::sqrt(terms) * norm(expected)
                           : 3 * distance(direct, expected);
  const double error = distance(actual, expected);
  EXPECT_TRUE(error <= bound) << "off by " << error << ", allowed " << bound << ", norm " << norm(expected);
}

template <class A>
class WinogradTest : public testing::Test {
 protected:
  void TearDown() override { omp_set_num_threads(threads_); }

  /// Runs body(sizes) for each shape, with a varying number of threads.
  template <class Body>
  void for_shapes(const Body& body) {
    const std::vector<Sizes> all = {
        {2, 8, 8, 16, 32},      // whole tiles and vectors
        {3, 5, 7, 33, 5},       // odd in everything
        {3, 1, 1, 16, 16},      // one position
        {5, 2, 2, 32, 16},      // one tile
        {1, 3, 20, 17, 48},     // one sample, wide
        {2, 20, 18, 16, 16},    // a sample in several segments
        {1, 1, 150, 16, 16},    // a row of more tiles than a block holds
        {5, 4, 4, 24, 160},     // several slices of output channels
        {70, 4, 4, 136, 16},    // many samples: several blocks and chunks
    };
    for (const Sizes& sizes : all)
      for (const int threads : {1, 3}) {
        SCOPED_TRACE(testing::Message() << sizes << ", threads " << threads);
        omp_set_num_threads(threads);
        body(sizes);
      }
  }

  Arena arena_{[](size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); },
               [](void* data) { std::free(data); }};
  Winograd winograd_{arena_, select_loops()};

 private:
  const int threads_ = omp_get_max_threads();
};

using StorageTypes = testing::Types<float, Bfloat16>;
struct StorageName {
  template <class A>
  static std::string GetName(int) {
    return std::is_same_v<A, float> ? "float32" : "bfloat16";
  }
};
TYPED_TEST_SUITE(WinogradTest, StorageTypes, StorageName);

/// Weights that keep the size of activations.
Values draw_weight(const Sizes& sizes) {
  const double bound = 1 / std::sqrt(9.0 * static_cast<double>(sizes.in_channels));
  return draw(sizes.weight(), 2, -bound, bound);
}

double positions(const Sizes& sizes) { return static_cast<double>(sizes.samples * sizes.height * sizes.width); }

/// multiplier · (z − mean) per sample and channel.
Values apply_affine(const Sizes& sizes, const Values& z, const Values& multiplier, const Values& mean) {
  Values result = z;
  for (size_t i = 0; i < z.size(); ++i) {
    const size_t channels = static_cast<size_t>(sizes.out_channels);
    const size_t row = i / static_cast<size_t>(sizes.y().features()) * channels + i % channels;
    result[i] = multiplier[row] * (z[i] - mean[row]);
  }
  return result;
}

}  // namespace

TYPED_TEST(WinogradTest, forward_with_bias) {
  this->for_shapes([this](const Sizes& sizes) {
    const Values x = draw(sizes.x(), 1), weight = draw_weight(sizes), bias = draw(Shape::vector(sizes.out_channels), 3);
    const Values expected = convolve(sizes, x, weight, bias);
    const Stored<TypeParam> stored_x(sizes.x(), x), stored_weight(sizes.weight(), weight), y(sizes.y());
    const Stored<float> stored_bias(Shape::vector(sizes.out_channels), bias);
    this->winograd_.template forward<TypeParam>(
        {geometry, stored_x.tensor(), stored_weight.tensor(), stored_bias.tensor(), y.tensor(), {}, {}, {}});
    const Values direct =
        round_all<TypeParam>(convolve(sizes, round_all<TypeParam>(x), round_all<TypeParam>(weight), bias));
    expect_close<TypeParam>(y.values(), expected, 9.0 * static_cast<double>(sizes.in_channels) + 1, direct);
  });
}

// The moments are those of the values before they are rounded to the storage type, hence of the output in
// float32; in bfloat16 the output's own mean and deviation are within half a unit in the last place of
// its values (2⁻⁹ of the largest, |y| < 4 here) of them.
TYPED_TEST(WinogradTest, moments) {
  using Moments = ConvolutionForward::Moments;
  this->for_shapes([this](const Sizes& sizes) {
    const Stored<TypeParam> x(sizes.x(), draw(sizes.x(), 1)), weight(sizes.weight(), draw_weight(sizes));
    for (const Moments moments : {Moments::channel, Moments::sample_channel}) {
      const bool per_sample = moments == Moments::sample_channel;
      const Stored<TypeParam> y(sizes.y());
      const Shape shape = per_sample ? sizes.per_sample() : Shape::vector(sizes.out_channels);
      const Stored<float> mean(shape), spread(shape);
      this->winograd_.template forward<TypeParam>(
          {geometry, x.tensor(), weight.tensor(), {}, y.tensor(), moments, mean.tensor(), spread.tensor()});
      const Values values = y.values(), means = mean.values(), spreads = spread.values();
      const int64_t channels = sizes.out_channels, groups = per_sample ? sizes.samples : 1;
      const int64_t count = sizes.y().elements() / (groups * channels);
      for (int64_t i = 0; i < groups * channels; ++i) {
        double sum = 0, squares = 0;
        const double* const first = values.data() + i / channels * count * channels + i % channels;
        for (int64_t p = 0; p < count; ++p) sum += first[p * channels];
        for (int64_t p = 0; p < count; ++p)
          squares += std::pow(first[p * channels] - sum / static_cast<double>(count), 2);
        const double variance = squares / static_cast<double>(per_sample ? std::max<int64_t>(1, count - 1) : count);
        const double bound = std::is_same_v<TypeParam, float> ? 1e-5 : 4 * std::ldexp(1.0, -9);
        const double deviation = per_sample ? spreads[i] : std::sqrt(spreads[i]);
        ASSERT_TRUE(std::abs(means[i] - sum / static_cast<double>(count)) <= bound) << "channel " << i;
        ASSERT_TRUE(std::abs(deviation - std::sqrt(variance)) <= bound) << "channel " << i << ' ' << deviation;
      }
    }
  });
}

TYPED_TEST(WinogradTest, moments_of_an_equal_map_are_exact) {
  const Sizes sizes{3, 20, 18, 16, 16};
  const Stored<TypeParam> x(sizes.x(), Values(static_cast<size_t>(sizes.x().elements()), 0.0));
  const Stored<TypeParam> weight(sizes.weight(), draw_weight(sizes)), y(sizes.y());
  const Stored<float> bias(Shape::vector(16), draw(Shape::vector(16), 3));
  const Stored<float> mean(sizes.per_sample()), deviation(sizes.per_sample());
  this->winograd_.template forward<TypeParam>({geometry, x.tensor(), weight.tensor(), bias.tensor(), y.tensor(),
                                               ConvolutionForward::Moments::sample_channel, mean.tensor(),
                                               deviation.tensor()});
  for (size_t i = 0; i < mean.values().size(); ++i) {
    EXPECT_EQ(mean.values()[i], bias.values()[i % 16]);
    EXPECT_EQ(deviation.values()[i], 0);
  }
}

TYPED_TEST(WinogradTest, data_gradient) {
  this->for_shapes([this](const Sizes& sizes) {
    const Values z = draw(sizes.y(), 1), weight = draw_weight(sizes);
    const Values multiplier = draw(sizes.per_sample(), 3), mean = draw(sizes.per_sample(), 4);
    const Stored<TypeParam> stored_z(sizes.y(), z), stored_weight(sizes.weight(), weight);
    const Stored<float> multipliers(sizes.per_sample(), multiplier), means(sizes.per_sample(), mean);
    const double terms = 9.0 * static_cast<double>(sizes.out_channels);
    for (const bool affine : {false, true}) {
      const auto d_y_of = [&](const Values& of) { return affine ? apply_affine(sizes, of, multiplier, mean) : of; };
      const Stored<TypeParam> d_x(sizes.x());
      SampleAffine applied;
      if (affine) applied = {multipliers.tensor().template as<float>(), means.tensor().template as<float>()};
      this->winograd_.template data_gradient<TypeParam>(stored_z.tensor(), applied, stored_weight.tensor(),
                                                        d_x.tensor());
      const Values direct = round_all<TypeParam>(data_gradient(
          sizes, round_all<TypeParam>(d_y_of(round_all<TypeParam>(z))), round_all<TypeParam>(weight)));
      expect_close<TypeParam>(d_x.values(), data_gradient(sizes, d_y_of(z), weight), terms + 1, direct);
    }
  });
}

TYPED_TEST(WinogradTest, weight_gradient) {
  this->for_shapes([this](const Sizes& sizes) {
    const Values x = draw(sizes.x(), 1), z = draw(sizes.y(), 2);
    const Values multiplier = draw(sizes.per_sample(), 3), mean = draw(sizes.per_sample(), 4);
    const Stored<TypeParam> stored_x(sizes.x(), x), stored_z(sizes.y(), z);
    const Stored<float> multipliers(sizes.per_sample(), multiplier), means(sizes.per_sample(), mean);
    for (const bool affine : {false, true}) {
      const auto d_y_of = [&](const Values& of) { return affine ? apply_affine(sizes, of, multiplier, mean) : of; };
      const Stored<float> d_weight(sizes.weight());
      SampleAffine applied;
      if (affine) applied = {multipliers.tensor().template as<float>(), means.tensor().template as<float>()};
      this->winograd_.template weight_gradient<TypeParam>(stored_x.tensor(), stored_z.tensor(), applied,
                                                          d_weight.tensor());
      const Values direct = weight_gradient(sizes, round_all<TypeParam>(x),
                                            round_all<TypeParam>(d_y_of(round_all<TypeParam>(z))));
      expect_close<TypeParam>(d_weight.values(), weight_gradient(sizes, x, d_y_of(z)), positions(sizes) + 1, direct);
    }
  });
}

TYPED_TEST(WinogradTest, weight_gradient_behind_batch_norm) {
  this->for_shapes([this](const Sizes& sizes) {
    const Shape channels = Shape::vector(sizes.out_channels);
    const Values x = draw(sizes.x(), 1), g = draw(sizes.y(), 2), y = draw(sizes.y(), 3);
    const Values multiplier = draw(channels, 4, 0.5, 1.5), mean_g = draw(channels, 5, -0.1, 0.1);
    const Values mean = draw(channels, 6), slope = draw(channels, 7);
    const auto d_y_of = [&](const Values& of_g, const Values& of_y) {
      Values result = of_g;
      for (size_t i = 0; i < result.size(); ++i) {
        const size_t c = i % static_cast<size_t>(sizes.out_channels);
        result[i] = multiplier[c] * (of_g[i] - mean_g[c] - (of_y[i] - mean[c]) * slope[c]);
      }
      return result;
    };
    const Stored<TypeParam> stored_x(sizes.x(), x), stored_g(sizes.y(), g), stored_y(sizes.y(), y);
    const Stored<float> multipliers(channels, multiplier), means_g(channels, mean_g), means(channels, mean),
        slopes(channels, slope), d_weight(sizes.weight());
    const auto data = [](const Stored<float>& of) { return of.tensor().template as<float>(); };
    this->winograd_.template weight_gradient<TypeParam>(
        stored_x.tensor(), stored_g.tensor(), stored_y.tensor(),
        BatchNormBackward<TypeParam>{nullptr, data(multipliers), data(means_g), data(means), data(slopes)},
        d_weight.tensor());
    const Values direct =
        weight_gradient(sizes, round_all<TypeParam>(x),
                        round_all<TypeParam>(d_y_of(round_all<TypeParam>(g), round_all<TypeParam>(y))));
    expect_close<TypeParam>(d_weight.values(), weight_gradient(sizes, x, d_y_of(g, y)), positions(sizes) + 4, direct);
  });
}

/// g, d_shift and d_scale of HiddenGradient with everything that may follow the data gradient, on operands that
/// bfloat16 holds. in_place: g lies where h does.
template <class A>
std::vector<Values> hidden_gradient(bool max_pool, bool in_place) {
  const Shape map{3, 6, 7, 33}, per_sample = Shape::matrix(3, 33), channels = Shape::vector(33);
  const Sizes sizes{3, 6, 7, 33, 33};
  const auto narrow = [](const Shape& shape, uint32_t purpose) { return round_all<Bfloat16>(draw(shape, purpose)); };
  const Stored<float> coefficient(per_sample, draw(per_sample, 1)), mean(per_sample, draw(per_sample, 2));
  const Stored<float> factors(per_sample, draw(per_sample, 3, 0, 2)), mean_y(channels, draw(channels, 4));
  const Stored<float> variance_y(channels, draw(channels, 5, 0.5, 1.5));
  const Shape output = max_pool ? Shape{3, 3, 3, 33} : map, pooled{3, 3, 4, 33};
  const Stored<A> h(map, narrow(map, 6)), z(map, narrow(map, 7)), y(map, narrow(map, 8)), d_h(map, narrow(map, 9));
  const Stored<A> weight(sizes.weight(), round_all<Bfloat16>(draw_weight(sizes)));
  const Stored<A> d_pooled(pooled, narrow(pooled, 10)), d_output(output, narrow(output, 11)), apart(map);
  const Stored<float> d_scale(channels), d_shift(channels);
  const Stored<A>& g = in_place ? h : apart;
  HiddenGradient op;
  op.h = h.tensor(), op.negative_slope = 0.01, op.similarity_weight = weight.tensor();
  op.average_pooling = {2, 2, 0, 1}, op.d_pooled = d_pooled.tensor();
  op.max_pool = max_pool, op.d_output = d_output.tensor(), op.d_h = d_h.tensor(), op.g = g.tensor();
  op.y = y.tensor(), op.mean_y = mean_y.tensor(), op.variance_y = variance_y.tensor();
  op.d_scale = d_scale.tensor(), op.d_shift = d_shift.tensor();
  Arena arena([](size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); },
              [](void* data) { std::free(data); });
  Winograd(arena, select_loops())
      .hidden_gradient<A>(op, z.tensor(), {coefficient.tensor().as<float>(), mean.tensor().as<float>()},
                          factors.tensor().as<float>());
  return {g.values(), d_shift.values(), d_scale.values()};
}

TYPED_TEST(WinogradTest, hidden_gradient_in_the_place_of_h) {
  for (const bool max_pool : {false, true})
    EXPECT_EQ(hidden_gradient<TypeParam>(max_pool, true), hidden_gradient<TypeParam>(max_pool, false));
}

// bfloat16 against float32 on the same operands; the table of operations compares float32 with the reference.
// A direct convolution rounds d_z and g, each by at most 2⁻⁹ of its size, hence g by 2⁻⁸ of its norm; three times
// that is allowed, for the sums over a channel as well, of which each term may be off by so much (d_scale: times
// |y − mean| < 2 over √variance > √½).
TEST(WinogradHiddenGradient, bfloat16_matches_float32) {
  for (const bool max_pool : {false, true}) {
    const auto wide = hidden_gradient<float>(max_pool, false),
               results = hidden_gradient<Bfloat16>(max_pool, false);
    const double allowed = 3 * std::ldexp(1.0, -8);
    EXPECT_TRUE(distance(results[0], wide[0]) <= allowed * norm(wide[0])) << distance(results[0], wide[0]);
    for (size_t c = 0; c < 33; ++c) {
      double size = 0;
      for (size_t i = c; i < wide[0].size(); i += 33) size += std::abs(wide[0][i]);
      EXPECT_TRUE(std::abs(results[1][c] - wide[1][c]) <= allowed * size) << "d_shift " << c;
      EXPECT_TRUE(std::abs(results[2][c] - wide[2][c]) <= allowed * size * 2 / std::sqrt(0.5)) << "d_scale " << c;
    }
  }
}

// Only how many samples a thread takes at a time depends on their number, never a sum.
TYPED_TEST(WinogradTest, same_bits_for_any_number_of_threads) {
  const Sizes sizes{19, 6, 6, 32, 16};
  const Stored<TypeParam> x(sizes.x(), draw(sizes.x(), 1)), weight(sizes.weight(), draw_weight(sizes));
  const auto run = [&](int threads) {
    omp_set_num_threads(threads);
    const Stored<TypeParam> y(sizes.y());
    const Stored<float> mean(Shape::vector(16)), variance(Shape::vector(16)), d_weight(sizes.weight());
    this->winograd_.template forward<TypeParam>({geometry, x.tensor(), weight.tensor(), {}, y.tensor(),
                                                 ConvolutionForward::Moments::channel, mean.tensor(),
                                                 variance.tensor()});
    this->winograd_.template weight_gradient<TypeParam>(x.tensor(), y.tensor(), SampleAffine(), d_weight.tensor());
    return std::vector<Values>{y.values(), mean.values(), variance.values(), d_weight.values()};
  };
  const auto one = run(1);
  EXPECT_EQ(run(2), one);
  EXPECT_EQ(run(5), one);
}

}  // namespace layerwise::cpu
