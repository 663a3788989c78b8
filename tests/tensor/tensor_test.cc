#include "tensor/tensor.h"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "tensor/buffer_pool.h"

namespace octet {

TEST_CASE("tensor: makers, shape and elements") {
  const Tensor t = Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(t.shape() == Shape{2, 3});
  CHECK(t.rank() == 2);
  CHECK(t.dim(1) == 3);
  CHECK(t.numel() == 6);
  CHECK(t.size_bytes() == 24);
  CHECK(t.data()[4] == 5.0f);
  CHECK(Tensor::full({3}, 2.5f).data()[2] == 2.5f);
  CHECK(Tensor::full({1}, 2.5f).item() == 2.5f);
  const Tensor codes = Tensor::zeros({4}, DType::kU8);
  CHECK(codes.data<std::uint8_t>()[3] == 0);
  CHECK(codes.size_bytes() == 4);
  CHECK(Tensor::empty({0, 5}).numel() == 0);
}

TEST_CASE("tensor: errors name what was expected and what came") {
  CHECK_THROWS_WITH_AS(Tensor::from({1, 2}, {3}), "[tensor] 2 values do not fill shape [3]", Error);
  CHECK_THROWS_WITH_AS(Tensor::zeros({1}, DType::kU8).data(), "[tensor] holds U8, not F32", Error);
  CHECK_THROWS_AS(Tensor::zeros({2}).item(), Error);
  CHECK_THROWS_AS(Tensor::zeros({2, 3}).reshape({4}), Error);
  CHECK_THROWS_AS(Tensor::zeros({2}, DType::kI32).set_requires_grad(true), Error);
  CHECK_THROWS_AS(Tensor::zeros({2}).copy_from(Tensor::zeros({3})), Error);
  CHECK_THROWS_AS(Tensor::zeros({2}).set_grad(Tensor::zeros({3})), Error);
  const Tensor undefined;
  CHECK_FALSE(undefined.defined());
  CHECK_FALSE(undefined.needs_grad());
  CHECK_THROWS_AS(undefined.shape(), Error);
  CHECK_THROWS_AS(undefined.data(), Error);
  CHECK_THROWS_AS(undefined.bytes(), Error);
  CHECK_THROWS_AS(undefined.clone(), Error);
  CHECK_THROWS_AS(undefined.detach(), Error);
  CHECK_THROWS_AS(undefined.grad(), Error);
  CHECK_THROWS_AS(undefined.grad_fn(), Error);
}

TEST_CASE("tensor: a size in bytes beyond 64 bits is an error") {
  CHECK_THROWS_WITH_AS(Tensor::empty({std::int64_t{1} << 62, 1}),
                       doctest::Contains("fits no memory"), Error);
}

TEST_CASE("tensor: copies, reshape and detach share data, clone does not") {
  Tensor t = Tensor::from({1, 2, 3, 4}, {2, 2});
  t.set_qparams(QParams{.scale = 0.5f, .zero_point = 7}).set_requires_grad(true);
  const Tensor copy = t, flat = t.reshape({4}), cut = t.detach(), own = t.clone();
  t.mutable_data()[0] = 9.0f;
  CHECK(copy.data()[0] == 9.0f);
  CHECK(flat.data()[0] == 9.0f);
  CHECK(cut.data()[0] == 9.0f);
  CHECK(own.data()[0] == 1.0f);
  CHECK(copy.id() == t.id());
  CHECK(cut.id() != t.id());
  for (const Tensor& other : {flat, cut, own}) {
    CHECK(other.qparams() == t.qparams());
    CHECK_FALSE(other.requires_grad());
  }
  Tensor target = Tensor::zeros({2, 2});
  target.copy_from(t);
  CHECK(target.data()[0] == 9.0f);
}

TEST_CASE("tensor: is_shared sees other handles of the tensor and of its data") {
  const Tensor t = Tensor::zeros({2, 3});
  CHECK_FALSE(t.is_shared());
  {
    const Tensor copy = t;
    CHECK(t.is_shared());
  }
  {
    const Tensor flat = t.reshape({6});
    CHECK(t.is_shared());
    CHECK(flat.is_shared());
  }
  CHECK_FALSE(t.is_shared());
  CHECK_FALSE(t.clone().is_shared());
}

TEST_CASE("buffer pool: blocks are aligned, reused, counted and given back") {
  trim_pool();
  const std::size_t before = pool_bytes();
  const std::byte* first = nullptr;
  {
    const auto block = allocate_block(100000);
    first = block.get();
    CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
    std::memset(block.get(), 1, 100000);
    CHECK(pool_bytes() >= before + 100000);
  }
  const std::size_t held = pool_bytes();
  for (int i = 0; i < 10; ++i) {
    const auto again = allocate_block(100000);
    CHECK(again.get() == first);
  }
  CHECK(pool_bytes() == held);
  const auto one = allocate_block(100000), two = allocate_block(100000);
  CHECK(one.get() != two.get());
  CHECK(allocate_block(0) != nullptr);
  trim_pool();  // what is in use stays
  std::memset(one.get(), 1, 100000);
  CHECK(pool_bytes() >= before + 200000);
}

TEST_CASE("buffer pool: sizes are rounded by less than a quarter, large blocks begin a huge page") {
  for (std::size_t size = 257; size < (std::size_t{64} << 20); size = size * 21 / 20 + 1) {
    trim_pool();
    const std::size_t before = pool_bytes();
    const auto block = allocate_block(size);
    CAPTURE(size);
    CHECK(pool_bytes() - before >= size);
    CHECK(pool_bytes() - before <= size / 4 * 5 + 5);
    const std::size_t alignment = size >= (std::size_t{2} << 20) ? std::size_t{2} << 20 : 64;
    CHECK(reinterpret_cast<std::uintptr_t>(block.get()) % alignment == 0);
  }
}

TEST_CASE("buffer pool: a kept block serves requests down to half its size") {
  trim_pool();
  const std::byte* kept = allocate_block(1 << 20).get();
  const std::size_t held = pool_bytes();
  CHECK(allocate_block((1 << 20) - 5000).get() == kept);
  CHECK(allocate_block(1 << 19).get() == kept);
  CHECK(pool_bytes() == held);
  CHECK(allocate_block((1 << 19) - (1 << 17)) != nullptr);
  CHECK(pool_bytes() > held);  // a block of its own
}

TEST_CASE("buffer pool: a block that cannot be had is an Error and not counted") {
  const std::size_t before = pool_bytes();
  CHECK_THROWS_AS(allocate_block(std::size_t{1} << 62), Error);
  CHECK(pool_bytes() == before);
}

TEST_CASE("buffer pool: several threads at once") {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&wrong, t] {
      for (int i = 0; i < 2000; ++i) {
        const auto block = allocate_block(512);
        std::memset(block.get(), static_cast<int>(t), 512);
        for (int k = 0; k < 512; ++k) wrong[t] += block.get()[k] != static_cast<std::byte>(t);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const int count : wrong) CHECK(count == 0);
}

}  // namespace octet
