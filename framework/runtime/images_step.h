#pragma once

#include <memory>
#include <utility>

#include "runtime/step.h"

namespace octet {

// A step whose items are images: work(memory, image) computes one.
template <class Work>
class ImagesStep final : public Step {
 public:
  explicit ImagesStep(Work work) : work_(std::move(work)) {}

  std::int64_t items(std::int64_t batch) const noexcept override { return batch; }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte*) const noexcept override {
    for (std::int64_t image = begin; image < end; ++image) work_(memory, image);
  }

 private:
  const Work work_;
};

template <class Work>
std::unique_ptr<Step> per_image(Work work) {
  return std::make_unique<ImagesStep<Work>>(std::move(work));
}

}  // namespace octet
