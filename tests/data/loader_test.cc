#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/parallel.h"
#include "data/in_memory.h"
#include "data/normalize.h"

namespace octet {
namespace {

// count images of 4x4x`channels` random pixels; the label of image i is i
std::shared_ptr<const Dataset> numbered(int count, int channels) {
  Rng rng(1, RngPurpose::kTest);
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    for (int p = 0; p < 16 * channels; ++p) {
      pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
    }
    labels.push_back(i);
    names.push_back(std::to_string(i));
  }
  return std::make_shared<InMemoryDataset>(Shape{4, 4, channels}, pixels, labels, names);
}

const AugmentOptions kAll = {.shift = 1,
                             .rotate_degrees = 10,
                             .scale = 0.1f,
                             .shear = 0.1f,
                             .crop_padding = 1,
                             .flip = true,
                             .cutout = 2};

bool same(const Batch& a, const Batch& b) {
  const auto equal = [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && x.dtype() == y.dtype() &&
           std::equal(x.bytes().begin(), x.bytes().end(), y.bytes().begin());
  };
  return equal(a.images, b.images) && equal(a.labels, b.labels) && equal(a.pixels, b.pixels);
}

TEST_CASE("loader: batches in order hold the dataset's samples, normalized by the table") {
  for (const int channels : {1, 3}) {
    const auto dataset = numbered(10, channels);
    const Normalization n =
        channels == 1 ? unit_normalization(1)
                      : Normalization{.mean = {0.4f, 0.5f, 0.6f}, .std = {0.2f, 0.3f, 0.4f}};
    const DataLoader loader(dataset, {.batch_size = 4, .normalization = n});
    const std::vector<float> values = value_table(n);
    CHECK(loader.batches() == 3);
    for (std::int64_t index = 0; index < 3; ++index) {
      const Batch batch = loader.batch(0, index);
      const std::int64_t count = index < 2 ? 4 : 2;
      CHECK(batch.images.shape() == Shape{count, 4, 4, channels});
      CHECK(batch.pixels.shape() == batch.images.shape());
      CHECK(batch.labels.shape() == Shape{count});
      for (std::int64_t i = 0; i < count; ++i) {
        const Sample sample = dataset->get(index * 4 + i);
        CHECK(batch.labels.data<std::int32_t>()[i] == sample.label);
        for (std::size_t p = 0; p < sample.pixels.size(); ++p) {
          const std::size_t at = static_cast<std::size_t>(i) * sample.pixels.size() + p;
          const auto c = static_cast<std::size_t>(channels);
          CHECK(batch.pixels.data<std::uint8_t>()[at] == sample.pixels[p]);
          CHECK(batch.images.data()[at] == values[sample.pixels[p] * c + p % c]);
        }
      }
    }
  }
}

TEST_CASE("loader: every sample once per epoch, in an order of the epoch's own") {
  const DataLoader loader(
      numbered(23, 1),
      {.batch_size = 5, .shuffle = true, .seed = 9, .normalization = unit_normalization(1)});
  std::set<std::vector<std::int32_t>> orders;
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    std::vector<std::int32_t> order;
    for (std::int64_t i = 0; i < loader.batches(); ++i) {
      const Tensor labels = loader.batch(epoch, i).labels;
      order.insert(order.end(), labels.data<std::int32_t>(),
                   labels.data<std::int32_t>() + labels.numel());
    }
    CHECK(std::set(order.begin(), order.end()).size() == 23);
    CHECK(order.size() == 23);
    orders.insert(order);
  }
  CHECK(orders.size() == 4);
}

TEST_CASE("loader: drop_last leaves out what does not fill a batch") {
  const auto dataset = numbered(10, 1);
  const Normalization n = unit_normalization(1);
  CHECK(DataLoader(dataset, {.batch_size = 4, .drop_last = true, .normalization = n}).batches() ==
        2);
  CHECK(DataLoader(dataset, {.batch_size = 5, .drop_last = true, .normalization = n}).batches() ==
        2);
  CHECK(DataLoader(dataset, {.batch_size = 5, .normalization = n}).batches() == 2);
  CHECK(DataLoader(dataset, {.batch_size = 11, .normalization = n}).batches() == 1);
}

TEST_CASE("loader: a batch is the same for any threads and any order of calls") {
  const DataLoaderOptions options = {.batch_size = 8,
                                     .shuffle = true,
                                     .seed = 5,
                                     .augment = kAll,
                                     .normalization = centered_normalization(3)};
  const auto dataset = numbered(30, 3);
  std::vector<Batch> expected;
  {
    const DataLoader loader(dataset, options);
    for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
      for (std::int64_t i = 0; i < 4; ++i) expected.push_back(loader.batch(epoch, i));
    }
  }
  const int before = num_threads();
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const DataLoader loader(dataset, options);
    for (std::size_t k = expected.size(); k-- > 0;) {  // backwards, and epochs in alternation
      const std::size_t i = (k * 3) % 8;
      CHECK(same(loader.batch(static_cast<std::int64_t>(i / 4), static_cast<std::int64_t>(i % 4)),
                 expected[i]));
    }
  }
  set_num_threads(before);
  CHECK_FALSE(same(expected[0], expected[4]));
}

TEST_CASE("loader: a sample's augmentation follows seed, epoch and sample, not its batch") {
  const auto dataset = numbered(12, 1);
  DataLoaderOptions options = {
      .batch_size = 4, .seed = 5, .augment = kAll, .normalization = unit_normalization(1)};
  const Batch four = DataLoader(dataset, options).batch(1, 1);
  options.batch_size = 1;
  const Batch one = DataLoader(dataset, options).batch(1, 6);
  CHECK(std::equal(one.pixels.bytes().begin(), one.pixels.bytes().end(),
                   four.pixels.bytes().begin() + 2 * 16));
  options.seed = 6;
  CHECK_FALSE(same(DataLoader(dataset, options).batch(1, 6), one));
}

TEST_CASE("loader: alternate_flip shows every image from the other side in the next epoch") {
  const auto dataset = numbered(40, 3);
  const DataLoader plain(dataset, {.batch_size = 40, .normalization = unit_normalization(3)});
  const DataLoader loader(dataset, {.batch_size = 40,
                                    .seed = 5,
                                    .augment = {.alternate_flip = true},
                                    .normalization = unit_normalization(3)});
  const Batch image = plain.batch(0, 0);
  std::vector<std::vector<bool>> mirrored(4);  // by epoch and image
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    const Batch batch = loader.batch(epoch, 0);
    for (std::int64_t n = 0; n < 40; ++n) {
      bool straight = true, reversed = true;
      for (std::int64_t y = 0; y < 4; ++y) {
        for (std::int64_t x = 0; x < 4; ++x) {
          for (std::int64_t c = 0; c < 3; ++c) {
            const auto at = [&](const Batch& b, std::int64_t column) {
              return b.pixels.data<std::uint8_t>()[((n * 4 + y) * 4 + column) * 3 + c];
            };
            straight = straight && at(batch, x) == at(image, x);
            reversed = reversed && at(batch, x) == at(image, 3 - x);
          }
        }
      }
      CHECK(straight != reversed);
      mirrored[static_cast<std::size_t>(epoch)].push_back(reversed);
    }
  }
  mirrored[1].flip();
  CHECK(mirrored[0] == mirrored[1]);
  CHECK(mirrored[0] == mirrored[2]);
  const auto count = std::count(mirrored[0].begin(), mirrored[0].end(), true);
  CHECK(count > 8);
  CHECK(count < 32);
}

TEST_CASE("loader: progressive resizing shrinks the augmented image, by epoch alone") {
  const auto dataset = numbered(6, 3);
  DataLoaderOptions options = {.batch_size = 3,
                               .shuffle = true,
                               .seed = 5,
                               .augment = kAll,
                               .normalization = centered_normalization(3)};
  const DataLoader full(dataset, options);
  options.progressive = {.start_size = 2, .start_ramp = 1, .end_ramp = 3, .multiple = 1};
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    const DataLoader loader(dataset, options);
    for (const std::int64_t epoch : {4, 3, 2, 1, 0}) {
      const std::int64_t size = epoch <= 1 ? 2 : epoch == 2 ? 3 : 4;
      CHECK(loader.image_shape(epoch) == Shape{size, size, 3});
      const Batch small = loader.batch(epoch, 1), large = full.batch(epoch, 1);
      CHECK(small.images.shape() == Shape{3, size, size, 3});
      CHECK(small.pixels.shape() == Shape{3, size, size, 3});
      const std::vector<float> values = value_table(options.normalization);
      for (std::int64_t n = 0; n < 3; ++n) {
        CHECK(small.labels.data<std::int32_t>()[n] == large.labels.data<std::int32_t>()[n]);
        std::vector<std::uint8_t> expected(static_cast<std::size_t>(size * size * 3));
        shrink({large.pixels.data<std::uint8_t>() + n * 48, 48}, 4, size, 3, expected);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const std::size_t at = static_cast<std::size_t>(n) * expected.size() + i;
          CHECK(small.pixels.data<std::uint8_t>()[at] == expected[i]);
          CHECK(small.images.data()[at] ==
                values[static_cast<std::size_t>(expected[i]) * 3 + i % 3]);
        }
      }
    }
  }
  set_num_threads(before);
  options.augment = {};
  const Batch plain = DataLoader(dataset, options).batch(0, 0);
  CHECK(plain.images.shape() == Shape{3, 2, 2, 3});
}

TEST_CASE("loader: rejects what it cannot serve") {
  const auto dataset = numbered(4, 1);
  const Normalization n = unit_normalization(1);
  CHECK_THROWS_AS(DataLoader(dataset, {.batch_size = 0, .normalization = n}), Error);
  CHECK_THROWS_AS(DataLoader(dataset, {.normalization = unit_normalization(3)}), Error);
  CHECK_THROWS_AS(DataLoader(dataset, {.augment = {.scale = 2}, .normalization = n}), Error);
  CHECK_THROWS_AS(
      DataLoader(dataset, {.augment = {.flip = true, .alternate_flip = true}, .normalization = n}),
      Error);
  CHECK_THROWS_AS(DataLoader(std::make_shared<Subset>(dataset, std::vector<std::int64_t>{}),
                             {.normalization = n}),
                  Error);
  CHECK_THROWS_AS(DataLoader(dataset, {.progressive = {.start_size = 4}, .normalization = n}),
                  Error);
  const DataLoader loader(dataset, {.batch_size = 2, .normalization = n});
  CHECK_THROWS_AS(loader.batch(0, 2), Error);
  CHECK_THROWS_AS(loader.batch(0, -1), Error);
  CHECK_THROWS_AS(loader.batch(-1, 0), Error);
}

}  // namespace
}  // namespace octet
