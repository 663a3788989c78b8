#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "nn/trace.h"
#include "onnx/import.h"
#include "qat/verify.h"
#include "tests/onnx/onnx_model.h"
#include "tests/qat/nets.h"

// Networks of differential.py, and what ONNX Runtime computes of them: import gives the same, or
// refuses. OCTET_ONNX_DIFFERENTIAL names another file of that script.
namespace octet {

TEST_SUITE_BEGIN("onnx");

namespace {

// One network: its tensors by what they are ("model", "input", "logits", "codes ...").
using Entries = std::map<std::string, const ::onnx::TensorProto*>;

std::vector<std::byte> bytes_of(const ::onnx::TensorProto& t) {
  const auto* begin = reinterpret_cast<const std::byte*>(t.raw_data().data());
  return {begin, begin + t.raw_data().size()};
}

// [N, C, H, W] as [N, H, W, C]
Tensor channels_last(const ::onnx::TensorProto& t) {
  const std::vector<float> x = testing::elements<float>(t);
  const std::int64_t n = t.dims(0), c = t.dims(1), h = t.dims(2), w = t.dims(3);
  Tensor y = Tensor::empty({n, h, w, c});
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const std::int64_t image = i / (h * w * c), pixel = i / c % (h * w), channel = i % c;
    y.mutable_data()[i] = x[static_cast<std::size_t>((image * c + channel) * h * w + pixel)];
  }
  return y;
}

// Logits as the file gives them: with its Softmax, which import leaves out.
std::vector<double> as_in_file(std::vector<double> row, const ::onnx::ModelProto& model) {
  const bool log = testing::count(model.graph(), "LogSoftmax") > 0;
  if (!log && testing::count(model.graph(), "Softmax") == 0) return row;
  const double largest = *std::max_element(row.begin(), row.end());
  double sum = 0.0;
  for (const double x : row) sum += std::exp(x - largest);
  for (double& x : row) x = log ? x - largest - std::log(sum) : std::exp(x - largest) / sum;
  return row;
}

struct Counts {
  int accepted = 0, refused = 0, codes = 0, off_by_one = 0, tensors = 0;
  std::map<std::string, int> ops, reasons;
  std::set<std::string> names;  // of those that are accepted
};

// The largest difference of logits, in units of the largest of them; and in predictions: by how
// much the class we predict is behind theirs.
struct Apart {
  double logits = 0.0, prediction = 0.0;
};

Apart compare(const std::vector<double>& ours, const Entries& e, const ::onnx::ModelProto& model) {
  const std::vector<float> theirs = testing::elements<float>(*e.at("logits"));
  REQUIRE(ours.size() == theirs.size());
  const auto classes = static_cast<std::size_t>(e.at("logits")->dims(1));
  double largest = 1e-3;
  for (const float x : theirs) largest = std::max(largest, std::fabs(double{x}));
  Apart apart;
  for (std::size_t i = 0; i < ours.size(); i += classes) {
    const auto first = ours.begin() + static_cast<std::ptrdiff_t>(i);
    const std::vector<double> row =
        as_in_file({first, first + static_cast<std::ptrdiff_t>(classes)}, model);
    std::size_t best = 0, best_theirs = 0;
    for (std::size_t k = 0; k < classes; ++k) {
      apart.logits = std::max(apart.logits, std::fabs(row[k] - theirs[i + k]) / largest);
      if (row[k] > row[best]) best = k;
      if (theirs[i + k] > theirs[i + best_theirs]) best_theirs = k;
    }
    apart.prediction = std::max(
        apart.prediction, (double{theirs[i + best_theirs]} - double{theirs[i + best]}) / largest);
  }
  return apart;
}

std::vector<double> doubles(const Tensor& y) {
  if (y.dtype() == DType::kF32) return {y.data(), y.data() + y.numel()};
  std::vector<double> v;
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    v.push_back(static_cast<double>(y.data<std::int32_t>()[i]) * double{y.qparams()->scale});
  }
  return v;
}

// What a layer clamps its codes to. In the file an activation may follow only behind the codes.
QRange clamp_of(const TraceRecord& record) {
  Act act = Act::kNone;
  if (const auto* conv = dynamic_cast<const ConvBnAct*>(record.leaf)) act = conv->options().act;
  if (const auto* linear = dynamic_cast<const Linear*>(record.leaf)) act = linear->options().act;
  if (const auto* add = dynamic_cast<const AddAct*>(record.leaf)) act = add->options().act;
  return clamp_range(act, *record.result.qparams(), kActivationRange);
}

// The codes that the file expects of a layer, in our order of elements; undefined if of none.
Tensor expected_codes(const TraceRecord& record, const Entries& e) {
  for (const auto& [key, tensor] : e) {
    if (key.rfind("codes ", 0) != 0) continue;
    char* rest = nullptr;
    if (std::strtof(key.c_str() + 6, &rest) != record.result.qparams()->scale) continue;
    std::istringstream layers(rest + 1);
    bool named = false;
    for (std::string layer; std::getline(layers, layer, '|');) {
      named = named || record.name == layer || record.name.rfind(layer + ".requantize", 0) == 0;
    }
    if (!named) continue;
    const auto theirs = testing::elements<std::uint8_t>(*tensor);
    Tensor y = Tensor::empty(record.result.shape());
    const QRange clamp = clamp_of(record);
    REQUIRE(theirs.size() == static_cast<std::size_t>(y.numel()));
    const std::int64_t c = y.dim(y.rank() - 1), pixels = y.numel() / y.dim(0) / c;
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      const std::int64_t at = (i / (pixels * c) * c + i % c) * pixels + i / c % pixels;
      y.mutable_data()[i] = static_cast<float>(std::clamp<std::int32_t>(
          theirs[static_cast<std::size_t>(at)], clamp.quant_min, clamp.quant_max));
    }
    y.set_qparams(record.result.qparams());
    return y;
  }
  return {};
}

// Each layer alone, on the codes that ONNX Runtime gives the tensors before it: within 1 of the
// codes that ONNX Runtime gives its own.
void compare_codes(const Trace& traced, const Tensor& images, const Entries& e, Counts& counts) {
  const NoGradGuard no_grad;
  std::map<int, Tensor> values{{0, images}};
  for (const TraceRecord& record : traced.records) {
    if (record.output == traced.output) continue;
    std::vector<Tensor> inputs;
    for (const int i : record.inputs) inputs.push_back(values.at(i));
    const Tensor ours = record.leaf->call(inputs), theirs = expected_codes(record, e);
    values[record.output] = theirs.defined() ? theirs : ours;
    if (!theirs.defined()) continue;
    CAPTURE(record.name);
    ++counts.tensors;
    counts.codes += static_cast<int>(ours.numel());
    int far = 0;
    for (std::int64_t i = 0; i < ours.numel(); ++i) {
      const float apart = std::fabs(ours.data()[i] - theirs.data()[i]);
      counts.off_by_one += apart == 1.0f ? 1 : 0;
      far += apart > 1.0f ? 1 : 0;
    }
    CHECK(far == 0);
  }
}

void quantized(OnnxModel& imported, const std::string& kind, const Entries& e,
               const ::onnx::ModelProto& model, Counts& counts) {
  const QParams q = imported.input_quantization.value_or(QParams{0x1p-5f, 128});
  Tensor images = channels_last(*e.at("input"));
  qat::prepare(*imported.model, imported.image_shape, testing::min_max_qconfig());
  testing::calibrate(*imported.model, images);
  apply_quantization(*imported.model, imported.quantization);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    images.mutable_data()[i] = static_cast<float>(
        quantize_one(images.data()[i], 1.0f / q.scale, q.zero_point, kActivationRange));
  }
  images.set_qparams(q);
  const Trace traced = trace(*imported.model, images);
  if (kind == "qdq") compare_codes(traced, images, e, counts);
  // The integer graph and the engine: the twin's bits.
  qat::InputEncoding input{q, {}};
  for (std::int64_t i = 0; i < 256 * imported.image_shape[2]; ++i) {
    input.table.push_back(static_cast<std::uint8_t>(i / imported.image_shape[2]));
  }
  const ir::Graph graph =
      qat::convert(*imported.model, testing::convert_options(input, imported.image_shape));
  std::vector<std::uint8_t> pixels;
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    pixels.push_back(static_cast<std::uint8_t>(images.data()[i]));
  }
  CHECK(qat::verify(*imported.model, graph, pixels, {.input = input}).mismatched == 0);
  for (const TraceRecord& r : traced.records) {
    if (r.output != traced.output) continue;
    // Equal but at ties: codes that differ by 1 move logits a little. Tensors that the file leaves
    // in real numbers are rounded here and not there.
    const Apart apart = compare(doubles(r.result), e, model);
    CHECK(apart.prediction <= (kind == "qdq" ? 0.02 : 0.1));
  }
}

void check(const std::string& kind, const Entries& e, Counts& counts) {
  const std::vector<std::byte> bytes = bytes_of(*e.at("model"));
  const ::onnx::ModelProto model = testing::parse(bytes);
  OnnxModel imported;
  try {
    imported = parse_onnx(bytes, "m");
  } catch (const Error& error) {
    ++counts.refused;
    ++counts.reasons[error.what()];
    return;
  }
  if (kind == "float") {
    const NoGradGuard no_grad;
    imported.model->eval();
    const Tensor y = (*imported.model)(channels_last(*e.at("input")));
    CHECK(compare(doubles(y), e, model).logits <= 1e-4);
  } else {
    quantized(imported, kind, e, model, counts);
  }
  ++counts.accepted;
  for (const ::onnx::NodeProto& node : model.graph().node()) ++counts.ops[node.op_type()];
}

}  // namespace

TEST_CASE("onnx import: what ONNX Runtime computes of differential networks, or an error") {
  const char* other = std::getenv("OCTET_ONNX_DIFFERENTIAL");
  const std::string path =
      other != nullptr ? other : std::string(OCTET_SOURCE_DIR) + "/tests/onnx/differential.pb";
  CAPTURE(path);
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  ::onnx::GraphProto pack;
  REQUIRE(pack.ParseFromIstream(&file));
  std::map<std::string, Entries> networks;
  for (const ::onnx::TensorProto& t : pack.initializer()) {
    const std::size_t slash = t.name().find('/');
    networks[t.name().substr(0, slash)][t.name().substr(slash + 1)] = &t;
  }
  std::map<std::string, Counts> counts;
  for (const auto& network : networks) {
    const std::string& name = network.first;
    CAPTURE(name);
    const std::string kind = name.substr(name.find(' ') + 1);
    const int before = counts[kind].accepted;
    check(kind, network.second, counts[kind]);
    if (counts[kind].accepted > before) counts[kind].names.insert(name);
  }
  for (const auto& [kind, c] : counts) {
    MESSAGE(kind << ": " << c.accepted << " accepted, " << c.refused << " refused, " << c.codes
                 << " codes compared in " << c.tensors << " tensors, " << c.off_by_one
                 << " off by 1");
    if (std::getenv("OCTET_ONNX_REASONS") != nullptr) {
      for (const auto& [reason, count] : c.reasons) MESSAGE(count << " times: " << reason);
    }
  }
  if (other != nullptr) return;
  // A refusal of everything would pass, so every op is there in a network that is accepted.
  for (const char* op :
       {"Conv", "BatchNormalization", "Gemm", "MatMul", "Relu", "Clip", "Add", "Sum", "Concat",
        "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "Flatten", "Reshape",
        "Softmax", "LogSoftmax", "Identity", "Dropout"}) {
    CAPTURE(std::string(op));
    CHECK(counts["float"].ops[op] > 0);
  }
  for (const char* op : {"QuantizeLinear", "DequantizeLinear", "Conv", "BatchNormalization", "Gemm",
                         "MatMul", "Relu", "Clip", "Add", "Concat", "MaxPool", "AveragePool",
                         "GlobalAveragePool", "Flatten"}) {
    CAPTURE(std::string(op));
    CHECK(counts["qdq"].ops[op] > 0);
  }
  // Files that were refused once, or gave other numbers.
  for (const char* name : {"asym_pad_conv float", "batch_minus1 float", "bn_after_add float",
                           "conv_1x7 float", "dropout_training_false_bool float", "opset26 float",
                           "squeezenet_head float", "sum_op float", "dq_without_zp_int8 mixed",
                           "output_dtype_int8_nozp mixed", "ort_matmul_add_bias_u8 qdq"}) {
    CAPTURE(std::string(name));
    const std::string kind = std::string(name).substr(std::string(name).find(' ') + 1);
    CHECK(counts[kind].names.count(name) == 1);
  }
  CHECK(counts["qdq"].accepted > counts["qdq"].refused);
  CHECK(counts["float"].codes + counts["qdq"].codes > 1000);
}

TEST_SUITE_END();

}  // namespace octet
