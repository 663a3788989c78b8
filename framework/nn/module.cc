#include "nn/module.h"

namespace octet {
namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

// Calls visit(full name, module) for the whole tree, depth first, parents before children.
template <class M, class Visit>
void walk(M& module, const std::string& name, const Visit& visit) {
  visit(name, module);
  for (const auto& [child_name, child] : module.children()) {
    walk(static_cast<M&>(*child), join(name, child_name), visit);
  }
}

void append(std::vector<NamedTensor>& all, const std::string& prefix,
            const std::vector<NamedTensor>& own) {
  for (const NamedTensor& t : own) all.push_back({join(prefix, t.name), t.tensor});
}

}  // namespace

std::vector<NamedTensor> Module::named_parameters() const {
  std::vector<NamedTensor> all;
  walk(*this, "",
       [&](const std::string& name, const Module& m) { append(all, name, m.parameters_); });
  return all;
}

std::vector<NamedTensor> Module::named_buffers() const {
  std::vector<NamedTensor> all;
  walk(*this, "", [&](const std::string& name, const Module& m) { append(all, name, m.buffers_); });
  return all;
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> all;
  walk(*this, "", [&](const std::string& name, Module& m) { all.emplace_back(name, &m); });
  return all;
}

std::string Module::full_name() const {
  return parent_ == nullptr ? name_ : join(parent_->full_name(), name_);
}

void Module::train(bool on) {
  walk(*this, "", [&](const std::string&, Module& m) { m.training_ = on; });
}

Tensor Module::add_parameter(std::string name, Tensor initial) {
  check_new_name(name);
  initial.set_requires_grad(true);
  parameters_.push_back({std::move(name), initial});
  return initial;
}

Tensor Module::add_buffer(std::string name, Tensor initial) {
  check_new_name(name);
  buffers_.push_back({std::move(name), initial});
  return initial;
}

void Module::add_child(std::string name, std::unique_ptr<Module> module) {
  OCTET_CHECK(!name.empty(), "[", full_name(), "] a module's name is empty");
  check_new_name(name);
  module->parent_ = this;
  module->name_ = name;
  children_.emplace_back(std::move(name), std::move(module));
}

void Module::check_new_name(const std::string& name) const {
  bool taken = false;
  for (const auto& child : children_) taken = taken || child.first == name;
  for (const NamedTensor& t : parameters_) taken = taken || t.name == name;
  for (const NamedTensor& t : buffers_) taken = taken || t.name == name;
  OCTET_CHECK(!taken, "[", full_name(), "] has two things named \"", name, "\"");
}

}  // namespace octet
