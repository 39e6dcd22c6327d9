#include "backend/cpu/onednn_gemm.h"

#include <array>
#include <map>
#include <sstream>
#include <unordered_map>

#include "backend/cpu/onednn.h"

namespace layerwise::cpu {

namespace {

/// Everything that a product's primitive depends on.
using Key = std::array<int64_t, 11>;

Key key_of(const Matrix& a, const Matrix& b, const float* bias, const Matrix& c) {
  return {a.rows,       a.columns,       b.columns,    a.row_stride,    a.column_stride,
          b.row_stride, b.column_stride, c.row_stride, bias != nullptr, static_cast<int64_t>(a.type),
          static_cast<int64_t>(c.type)};
}

dnnl::memory::desc description_of(const Matrix& matrix) {
  return {{matrix.rows, matrix.columns}, onednn_type_of(matrix.type), {matrix.row_stride, matrix.column_stride}};
}

struct Product {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
};

Product make_product(const dnnl::engine& engine, const Matrix& a, const Matrix& b, const float* bias,
                     const Matrix& c) {
  const auto bias_description = bias == nullptr ? dnnl::memory::desc()
                                                : dnnl::memory::desc({1, c.columns}, dnnl::memory::data_type::f32,
                                                                     dnnl::memory::format_tag::ab);
  Product product;
  product.description = dnnl::matmul::primitive_desc(engine, description_of(a), description_of(b), bias_description,
                                                     description_of(c), onednn_attributes());
  product.primitive = dnnl::matmul(product.description);
  return product;
}

}  // namespace

struct OnednnGemm::Primitives {
  OnednnEngine onednn;
  std::map<Key, Product> products;
};

OnednnGemm::OnednnGemm(Arena& arena) : arena_(arena), primitives_(std::make_unique<Primitives>()) {}

OnednnGemm::~OnednnGemm() = default;

void OnednnGemm::multiply(const Matrix& a, const Matrix& b, const float* bias, const Matrix& c) {
  const auto describe = [&] {
    std::ostringstream text;
    text << "the matrix product " << a.rows << "×" << a.columns << " · " << b.rows << "×" << b.columns;
    return text.str();
  };
  with_onednn_errors(describe, [&] {
    const dnnl::engine& engine = primitives_->onednn.engine;
    const Key key = key_of(a, b, bias, c);
    auto found = primitives_->products.find(key);
    if (found == primitives_->products.end())
      found = primitives_->products.emplace(key, make_product(engine, a, b, bias, c)).first;
    const dnnl::matmul::primitive_desc& description = found->second.description;
    const ArenaTensor scratchpad = take_memory(arena_, description.scratchpad_desc());
    const auto memory = [&engine](const dnnl::memory::desc& of, const void* data) {
      return dnnl::memory(of, engine, const_cast<void*>(data));  // oneDNN only reads its sources
    };
    std::unordered_map<int, dnnl::memory> arguments{
        {DNNL_ARG_SRC, memory(description.src_desc(), a.data)},
        {DNNL_ARG_WEIGHTS, memory(description.weights_desc(), b.data)},
        {DNNL_ARG_DST, memory(description.dst_desc(), c.data)},
        {DNNL_ARG_SCRATCHPAD, memory(description.scratchpad_desc(), scratchpad.view().data)}};
    if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, memory(description.bias_desc(), bias));
    found->second.primitive.execute(primitives_->onednn.stream, arguments);
    primitives_->onednn.stream.wait();
  });
}

}  // namespace layerwise::cpu
