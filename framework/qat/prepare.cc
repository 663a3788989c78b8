#include "qat/prepare.h"

#include <vector>

#include "base/float_environment.h"
#include "base/nearest.h"
#include "nn/trace.h"

namespace octet::qat {

void prepare(Module& model, const Shape& image_shape, const QConfig& qconfig,
             const std::map<std::string, QConfig>& overrides) {
  const FloatEnvironment environment;
  const auto leaves = named_leaves(model);
  std::vector<std::string> names;
  for (const auto& [name, leaf] : leaves) {
    names.push_back(name);
    OCTET_CHECK(!leaf->prepared(), "[", name, "] was prepared before");
  }
  for (const auto& [name, unused] : overrides) {
    bool known = false;
    for (const std::string& leaf : names) known = known || leaf == name;
    if (!known) {
      throw UsageError(message("quantize.layers: the model has no layer \"", name,
                               "\"; did you mean \"", nearest(name, names), "\"?"));
    }
  }

  OCTET_CHECK(image_shape.rank() == 3, "[prepare] expects an image shape [H, W, C], got ",
              image_shape);
  const Trace traced =
      trace(model, Tensor::zeros({1, image_shape[0], image_shape[1], image_shape[2]}));
  for (const TraceRecord& record : traced.records) {
    if (record.output == traced.output) record.leaf->make_logits();
  }
  for (const auto& [name, leaf] : leaves) {
    const auto it = overrides.find(name);
    leaf->set_qconfig(it == overrides.end() ? qconfig : it->second);
  }
}

}  // namespace octet::qat
