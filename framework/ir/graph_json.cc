#include "ir/graph_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "base/classic_locale.h"
#include "base/error.h"
#include "file/printable.h"
#include "ir/op_names.h"

namespace octet::ir {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxJsonBytes = std::size_t{16} << 20;
constexpr int kMaxDepth = 4;  // {"values": [{"shape": [...]}]}
// Of one object. The largest has 10; finding a key takes time in proportion, so many take its
// square.
constexpr std::size_t kMaxKeys = 32;

// The attributes of an op: visit(key, field) for each. Writing and reading share this list.
template <class AnyOp, class Visit>
void visit_attributes(AnyOp& op, Visit visit) {
  using T = std::remove_const_t<AnyOp>;
  if constexpr (std::is_same_v<T, QConv2d>) {
    visit("stride", op.stride);
    visit("padding", op.padding);
    visit("groups", op.groups);
  }
  if constexpr (std::is_same_v<T, MaxPool2d>) {
    visit("kernel", op.kernel);
    visit("stride", op.stride);
    visit("padding", op.padding);
  }
  if constexpr (std::is_same_v<T, AvgPool2d>) {
    visit("kernel_h", op.kernel_h);
    visit("kernel_w", op.kernel_w);
    visit("stride", op.stride);
    visit("padding", op.padding);
    visit("multiplier", op.requant.multiplier);
    visit("shift", op.requant.shift);
  }
  if constexpr (std::is_same_v<T, QAdd>) {
    visit("multiplier_a", op.params.multiplier_a);
    visit("multiplier_b", op.params.multiplier_b);
    visit("shift", op.params.shift);
    visit("offset", op.params.offset);
  }
  if constexpr (std::is_same_v<T, QConv2d> || std::is_same_v<T, QLinear> ||
                std::is_same_v<T, QAdd>) {
    visit("clamp_min", op.clamp_min);
    visit("clamp_max", op.clamp_max);
  }
}

std::string dump(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    // not fuzzed: for what is written; what was read is valid
    throw Error("a name of the graph is not valid UTF-8; rename it");
  }
}

// Refuses what the library would accept: duplicate keys, deep nesting, huge texts.
Json parse_strictly(std::string_view text) {
  OCTET_CHECK(text.size() <= kMaxJsonBytes, "its JSON has ", text.size(), " bytes (at most ",
              kMaxJsonBytes, ")");
  // The JSON library takes a NUL for the end of the text and would not look at the rest.
  OCTET_CHECK(text.find('\0') == std::string_view::npos, "its JSON has a NUL byte");
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    OCTET_CHECK(depth <= kMaxDepth, "its JSON is nested more than ", kMaxDepth, " deep");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      OCTET_CHECK(keys.back().size() < kMaxKeys, "its JSON has an object of more than ", kMaxKeys,
                  " keys");
      OCTET_CHECK(keys.back().insert(key).second, "duplicate key \"", printable(key), "\"");
    }
    return true;
  };
  const ClassicLocale locale;
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::parse_error& error) {
    throw Error(message("malformed JSON at byte ", error.byte));
  } catch (const Json::exception&) {  // a number beyond double
    throw Error("malformed JSON: a number is out of range");
  }
}

// One JSON object being read: every key must be asked for once, and `done` refuses the others.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    OCTET_CHECK(json.is_object(), where_, " is not a JSON object");
  }

  const Json& at(const char* key) {
    const auto found = json_.find(key);
    OCTET_CHECK(found != json_.end(), where_, " has no \"", key, "\"");
    asked_.insert(key);
    return *found;
  }

  const Json& array(const char* key) {
    const Json& json = at(key);
    OCTET_CHECK(json.is_array(), where_, ": \"", key, "\" is not an array");
    return json;
  }

  std::string text(const char* key) {
    const Json& json = at(key);
    OCTET_CHECK(json.is_string(), where_, ": \"", key, "\" is not a string");
    return json.get<std::string>();
  }

  template <class Integer>
  Integer integer(const char* key) {
    return to_integer<Integer>(at(key), key);
  }

  template <class Integer>
  std::vector<Integer> integers(const char* key) {
    std::vector<Integer> result;
    for (const Json& element : array(key)) result.push_back(to_integer<Integer>(element, key));
    return result;
  }

  float real(const char* key) {
    const Json& json = at(key);
    OCTET_CHECK(json.is_number(), where_, ": \"", key, "\" is not a number");
    const double value = json.get<double>();
    const bool fits = std::fabs(value) <= double{std::numeric_limits<float>::max()};
    OCTET_CHECK(fits && double{static_cast<float>(value)} == value, where_, ": \"", key, "\" is ",
                value, ", which is not a float32");
    return static_cast<float>(value);
  }

  void done() const {
    for (const auto& [key, value] : json_.items()) {
      OCTET_CHECK(asked_.count(key) == 1, where_, " has the unknown key \"", printable(key), "\"");
    }
  }

 private:
  template <class Integer>
  Integer to_integer(const Json& json, const char* key) const {
    const bool fits =
        json.is_number_integer() &&
        (!json.is_number_unsigned() ||
         json.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<Integer>::max()}) &&
        (json.is_number_unsigned() ||
         json.get<std::int64_t>() >= std::int64_t{std::numeric_limits<Integer>::min()});
    OCTET_CHECK(fits, where_, ": \"", key, "\" is not an integer of ", sizeof(Integer) * 8,
                " bits");
    return json.get<Integer>();
  }

  const Json& json_;
  std::string where_;
  std::set<std::string> asked_;
};

template <std::size_t... I>
Op make_op(std::size_t index, std::index_sequence<I...>) {
  Op op;
  ((index == I ? static_cast<void>(op.emplace<I>()) : static_cast<void>(0)), ...);
  return op;
}

Op op_from_name(const std::string& name, const std::string& where) {
  for (std::size_t i = 0; i < kOpNames.size(); ++i) {
    if (kOpNames[i] == name) return make_op(i, std::make_index_sequence<kOpNames.size()>());
  }
  throw Error(message(where, " has the unknown op \"", printable(name),
                      "\"; a newer version of Octet may know it"));
}

Value read_value(const Json& json, const std::string& where) {
  ObjectReader in(json, where);
  Value value;
  value.name = in.text("name");
  value.dtype = dtype_from_name(printable(in.text("dtype")));
  value.shape = Shape(in.integers<std::int64_t>("shape"));
  value.qparams.scale = in.real("scale");
  value.qparams.zero_point = in.integer<std::int32_t>("zero_point");
  in.done();
  return value;
}

Node read_node(const Json& json, const std::string& where) {
  ObjectReader in(json, where);
  Node node;
  node.name = in.text("name");
  node.op = op_from_name(in.text("op"), where);
  node.inputs = in.integers<ValueId>("inputs");
  node.output = in.integer<ValueId>("output");
  std::visit(
      [&](auto& op) {
        visit_attributes(op, [&](const char* key, auto& field) {
          field = in.integer<std::remove_reference_t<decltype(field)>>(key);
        });
      },
      node.op);
  in.done();
  return node;
}

}  // namespace

std::string graph_to_json(const Graph& graph) {
  Json values = Json::array(), nodes = Json::array();
  for (const Value& value : graph.values) {
    values.push_back({{"name", value.name},
                      {"dtype", name_of(value.dtype)},
                      {"shape", value.shape.dims()},
                      {"scale", double{value.qparams.scale}},
                      {"zero_point", value.qparams.zero_point}});
  }
  for (const Node& node : graph.nodes) {
    Json json = {{"name", node.name},
                 {"op", op_name(node.op)},
                 {"inputs", node.inputs},
                 {"output", node.output}};
    std::visit(
        [&](const auto& op) {
          visit_attributes(op, [&](const char* key, auto field) { json[key] = field; });
        },
        node.op);
    nodes.push_back(std::move(json));
  }
  return dump({{"input", graph.input},
               {"output", graph.output},
               {"values", std::move(values)},
               {"nodes", std::move(nodes)}});
}

Graph graph_from_json(std::string_view text) {
  const Json json = parse_strictly(text);
  ObjectReader in(json, "the graph");
  Graph graph;
  graph.input = in.integer<ValueId>("input");
  graph.output = in.integer<ValueId>("output");
  for (const Json& value : in.array("values")) {
    graph.values.push_back(read_value(value, message("value ", graph.values.size())));
  }
  for (const Json& node : in.array("nodes")) {
    graph.nodes.push_back(read_node(node, message("node ", graph.nodes.size())));
  }
  in.done();
  return graph;
}

std::string strings_to_json(const std::vector<std::string>& strings) { return dump(strings); }

std::vector<std::string> strings_from_json(std::string_view text) {
  const Json json = parse_strictly(text);
  OCTET_CHECK(json.is_array(), "not a JSON array");
  std::vector<std::string> strings;
  for (const Json& element : json) {
    OCTET_CHECK(element.is_string(), "element ", strings.size(), " is not a string");
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

}  // namespace octet::ir
