#include <sys/resource.h>

#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "tensor/buffer_pool.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

std::int64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST_CASE("training steps after the second ask no memory of the operating system") {
  // Tensors of 4 MiB: mapped anew, each would cost two faults of 2 MiB with the zeroing of all of
  // it, or 1024 of 4 KiB. A step makes a dozen.
  const Tensor x = randn({16, 32, 32, 64}, 1), dy = randn({16, 32, 32, 64}, 2);
  Tensor weight = randn({64, 1, 1, 64}, 3), gamma = Tensor::full({64}, 1.0f);
  Tensor beta = Tensor::zeros({64}), mean = Tensor::zeros({64}), var = Tensor::full({64}, 1.0f);
  for (Tensor* parameter : {&weight, &gamma, &beta}) parameter->set_requires_grad(true);
  const BatchNormOptions options{.activation = Activation::kRelu};
  const auto step = [&] {
    const Tensor a = batch_norm(conv2d(x, weight, Tensor(), {}), gamma, beta, mean, var, options);
    const Tensor b =
        batch_norm(conv2d(a, weight, Tensor(), {}), gamma, beta, mean, var, options, a);
    backward(weighted_sum(b, dy));
    for (Tensor* parameter : {&weight, &gamma, &beta}) parameter->set_grad(Tensor());
  };
  step();
  step();
  const std::size_t held = pool_bytes();
  const std::int64_t before = page_faults();
  for (int i = 0; i < 3; ++i) step();
  CHECK(pool_bytes() == held);
#ifdef __SANITIZE_ADDRESS__
  (void)before;  // the sanitizer's shadow and quarantine fault on their own account
#else
  CHECK(page_faults() - before < 30);
#endif
}

}  // namespace
}  // namespace octet
