#include "backend/cuda/engines/cudnn.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/cuda/convert.h"
#include "backend/cuda/engines/engine_plans.h"
#include "core/error.h"

namespace layerwise::cuda {

/// What of a product is asked of cuDNN. Where that is not all of it, a kernel of this project does the rest.
enum class Cudnn::Form {
  whole,
  bias_apart,  // the bias is added afterwards, to sums of float32
  narrow       // a weight gradient is of the factors' type, and converted afterwards
};

namespace {

/// Scratch memory lies in the arena, which a step's other tensors share: above this a plan is not worth it.
constexpr int64_t most_workspace = int64_t{1} << 30;
/// That of what CUDA allocates, on which a library may count.
constexpr int64_t workspace_alignment = 256;

/// As many plans of a product are timed: making one can take a second, where kernels are compiled for it.
constexpr size_t most_plans = 8;

DataType factors_of(const ConvolutionProduct& product) {
  return product.kind == ConvolutionProduct::Kind::data_gradient ? product.y.type : product.x.type;
}

/// Whether products are exact, sums of float32, and all of it the same in every run. Notes that this project does not
/// know may mean otherwise. (Transforms, of Winograd's method or Fourier's, round what is multiplied.)
bool are_trusted(const std::vector<cudnnBackendNumericalNote_t>& notes, bool may_use_tensor_cores) {
  return std::all_of(notes.begin(), notes.end(), [&](cudnnBackendNumericalNote_t note) {
    return note == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP ||
           (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && may_use_tensor_cores);
  });
}

}  // namespace

CudnnFunctions load_cudnn() {
  const VendorLibrary library("libcudnn.so." + std::to_string(CUDNN_MAJOR));
  CudnnFunctions f{};
  library.find("cudnnCreate", f.create);
  library.find("cudnnDestroy", f.destroy);
  library.find("cudnnSetStream", f.set_stream);
  library.find("cudnnGetVersion", f.get_version);
  library.find("cudnnGetErrorString", f.error_string);
  library.find("cudnnBackendCreateDescriptor", f.create_descriptor);
  library.find("cudnnBackendDestroyDescriptor", f.destroy_descriptor);
  library.find("cudnnBackendFinalize", f.finalize);
  library.find("cudnnBackendSetAttribute", f.set_attribute);
  library.find("cudnnBackendGetAttribute", f.get_attribute);
  library.find("cudnnBackendExecute", f.execute);
  return f;
}

Cudnn::Cudnn(const CudnnFunctions& functions, cudaStream_t stream, Arena& arena, bool tensor_float32)
    : functions_(functions), stream_(stream), arena_(arena), tensor_float32_(tensor_float32) {
  cudnnHandle_t handle = nullptr;
  check(functions_, functions_.create(&handle), "starting");
  handle_ = {handle, {functions_.destroy}};
  check(functions_, functions_.set_stream(handle, stream), "choosing a stream");
}

std::string Cudnn::version() const {
  const size_t number = functions_.get_version();  // 92400 is 9.24.0
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

bool Cudnn::convolve(const ConvolutionProduct& product, const std::string& plan) {
  for (const Form form : forms_of(product)) {
    const std::string prefix = prefix_of(form);
    if (!plan.empty() && plan.compare(0, prefix.size(), prefix) != 0) continue;
    const Plan found = find(part_of(form, product), plan.empty() ? plan : plan.substr(prefix.size()));
    if (found == nullptr) continue;
    run(form, *found, product);
    return true;
  }
  return false;
}

std::vector<std::string> Cudnn::plans(const ConvolutionProduct& product) {
  std::vector<std::string> all;
  for (const Form form : forms_of(product)) {
    const ConvolutionProduct part = part_of(form, product);
    Problem& known = problem(part);
    if (!known.graph) continue;
    for (const NamedPlan& named : suggested_plans(*known.graph, factors_of(part), most_plans)) {
      const std::string name = prefix_of(form) + named.name;
      if (!is_plan_name(name)) continue;  // too long to be written down
      Plan& kept = known.plans[named.name];  // one that is there may belong to a recorded step
      if (kept == nullptr) kept = named.plan;
      all.push_back(name);
    }
    if (!all.empty()) break;  // what cuDNN does alone is more exact, and one pass less
  }
  return all;
}

// ---- forms

std::vector<Cudnn::Form> Cudnn::forms_of(const ConvolutionProduct& product) {
  std::vector<Form> forms = {Form::whole};
  if (product.bias) forms.push_back(Form::bias_apart);
  if (product.kind == ConvolutionProduct::Kind::weight_gradient && product.weight.type != product.x.type)
    forms.push_back(Form::narrow);
  return forms;
}

/// In the names of plans.
const char* Cudnn::prefix_of(Form form) {
  switch (form) {
    case Form::whole: break;
    case Form::bias_apart: return "bias_apart_";
    case Form::narrow: return "narrow_";
  }
  return "";
}

/// What cuDNN does of a product. A result without data is a temporary.
ConvolutionProduct Cudnn::part_of(Form form, const ConvolutionProduct& product) {
  ConvolutionProduct part = product;
  switch (form) {
    case Form::whole: break;
    case Form::bias_apart:
      part.bias = {};
      if (product.y.type != DataType::float32) part.y = {nullptr, DataType::float32, product.y.shape};
      break;
    case Form::narrow: part.weight = {nullptr, product.x.type, product.weight.shape}; break;
  }
  return part;
}

void Cudnn::run(Form form, const CudnnPlan& plan, const ConvolutionProduct& product) const {
  ConvolutionProduct part = part_of(form, product);
  Tensor& result = form == Form::narrow ? part.weight : part.y;
  ArenaTensor temporary;
  if (form != Form::whole && !result) {
    temporary = arena_.take(result.type, result.shape);
    result = temporary;
  }
  give(plan, part);
  if (form == Form::bias_apart) convert(stream_, result, product.bias, product.y);
  if (form == Form::narrow) convert(stream_, result, {}, product.weight);
}

void Cudnn::give(const CudnnPlan& plan, const ConvolutionProduct& part) const {
  ArenaTensor memory;
  void* workspace = nullptr;
  if (plan.workspace_bytes > 0) {
    memory = arena_.take(DataType::uint8, Shape::vector(plan.workspace_bytes + workspace_alignment));
    workspace = memory.view().data;
    size_t space = memory.view().bytes();
    std::align(workspace_alignment, static_cast<size_t>(plan.workspace_bytes), workspace, space);
  }
  execute(functions_, handle_.get(), plan, part, workspace);
}

// ---- plans

Cudnn::Problem& Cudnn::problem(const ConvolutionProduct& part) {
  const std::vector<int64_t> key = ConvolutionGraph::key(part);
  const auto known = problems_.find(key);
  if (known != problems_.end()) return known->second;
  return problems_.emplace(key, Problem{ConvolutionGraph::make(functions_, handle_.get(), part), {}}).first->second;
}

/// The plan of that name, or the first that is suggested where the name is empty; null where there is none.
Cudnn::Plan Cudnn::find(const ConvolutionProduct& part, const std::string& name) {
  Problem& known = problem(part);
  if (!known.graph) return nullptr;
  const auto made = known.plans.find(name);
  if (made != known.plans.end()) return made->second;
  Plan plan;
  if (name.empty()) {
    const std::vector<NamedPlan> first = suggested_plans(*known.graph, factors_of(part), 1);
    if (!first.empty()) plan = first.front().plan;
  } else {
    plan = named_plan(*known.graph, factors_of(part), name);
  }
  return known.plans.emplace(name, plan).first->second;
}

std::vector<Cudnn::NamedPlan> Cudnn::suggested_plans(const ConvolutionGraph& graph, DataType factors,
                                                     size_t most) const {
  std::vector<NamedPlan> found;
  std::set<std::string> seen;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Configured& configured : graph.suggestions(mode)) {
      const std::optional<EngineConfiguration> described = describe(configured);
      if (!described || !seen.insert(described->to_text()).second) continue;
      const Plan plan = trusted_plan(graph, factors, std::move(configured));
      if (plan != nullptr) found.push_back({described->to_text(), plan});
      if (found.size() == most) return found;
    }
  }
  return found;
}

/// Null where the text, which anyone may have written, names no plan of this library that is trusted.
Cudnn::Plan Cudnn::named_plan(const ConvolutionGraph& graph, DataType factors, const std::string& name) const {
  const std::optional<EngineConfiguration> wanted = EngineConfiguration::parse(name);
  if (!wanted) return nullptr;
  std::optional<Configured> configured = graph.configure(*wanted);
  return configured ? trusted_plan(graph, factors, std::move(*configured)) : nullptr;
}

Cudnn::Plan Cudnn::trusted_plan(const ConvolutionGraph& graph, DataType factors, Configured configured) const {
  const auto notes = notes_of(configured);
  if (!notes || !are_trusted(*notes, factors == DataType::bfloat16 || tensor_float32_)) return nullptr;
  std::optional<CudnnPlan> plan = graph.plan(std::move(configured));
  if (!plan || plan->workspace_bytes > most_workspace) return nullptr;
  return std::make_shared<const CudnnPlan>(std::move(*plan));
}

}  // namespace layerwise::cuda
