#include "runtime/product_step.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/integer_math.h"

namespace octet {
namespace {

// Rows in one call of the kernel: their panels' worth of activations stays in the cache while all
// panels of weights pass by. A panel is read from memory once per call, hence not too few.
constexpr std::int64_t kBlockK = 96 * 1024;
constexpr std::int64_t kMinRows = 24, kMaxRows = 96;

// From so many rows on threads share rows, below they share output channels: a small map has so few
// rows that each thread would read all weights for a handful of them.
constexpr std::int64_t kShareRows = 192;

// How the work of one run is cut. A function of the shape and the batch alone.
struct Cut {
  std::int64_t groups;  // of images: pixels of one class in all of them are tiles together
  std::int64_t parts;   // of each group: its rows, or its panels of weights
  bool by_panel;

  Cut(const ConvShape& s, std::int64_t panels, bool copied, std::int64_t batch) {
    const std::int64_t pixels = s.out_h * s.out_w;
    const std::int64_t images = copied ? 1 : std::clamp<std::int64_t>(384 / pixels, 6, kMaxRows);
    groups = div_up(batch, images);
    const std::int64_t rows = div_up(batch, groups) * pixels;
    by_panel = s.groups == 1 && panels > 1 && rows < kShareRows;
    parts = by_panel ? panels : std::clamp<std::int64_t>(rows / 24, 1, div_up(48, groups));
  }
};

class ProductStep final : public Step {
 public:
  // reader: null for none
  ProductStep(const PackedModel& model, std::size_t index, const PackedWeights& weights,
              const ir::Node* reader)
      : kernel_(*model.kernel), weights_(weights), group_(kernels::rows_of(weights.taps.pool)) {
    const ir::Graph& graph = model.graph;
    const ir::Node& node = graph.nodes[index];
    input_ = node.inputs[0];
    output_ = reader == nullptr ? node.output : reader->output;
    const ir::Value &x = graph.value(input_), &y = graph.value(node.output);
    input_zero_point_ = static_cast<std::uint8_t>(x.qparams.zero_point);
    input_size_ = x.shape.numel();
    products_ = y.shape.numel() * weights_.taps.packed.k;
    output_size_ = graph.value(output_).shape.numel();
    logits_ = y.dtype == DType::kI32;
    epilogue_.zero_point = y.qparams.zero_point;
    const auto clamp = [&](const auto& op) {
      epilogue_.clamp_min = op.clamp_min;
      epilogue_.clamp_max = op.clamp_max;
    };
    if (const auto* conv = std::get_if<ir::QConv2d>(&node.op)) {
      clamp(*conv);
    } else {
      clamp(std::get<ir::QLinear>(node.op));
    }
    if (reader != nullptr && std::holds_alternative<ir::QAdd>(reader->op)) {
      set_residual(graph, node.output, *reader);
    }

    cut_of_one_ = compute_cut(1);
    next_ = weights_behind(model, index);
    block_rows_ = std::clamp(kBlockK / panel_k() / kernel_.mr * kernel_.mr, kMinRows, kMaxRows);
    block_pixels_ = block_rows_ / group_;
    for (const TapLists* taps : {&weights_.taps, &weights_.lists(1)}) {
      if (!taps->copied) continue;
      const ConvShape& s = taps->shape;
      const std::int64_t element = std::max(kernel_.copied_bytes, 1);
      zeros_behind_ = taps->pooled_conv != nullptr ? kernels::PooledConvArgs::kBytesBehind
                                                   : std::int64_t{kernel_.kr};
      copy_bytes_ =
          static_cast<std::size_t>(round_up((s.h * s.w * s.c + zeros_behind_) * element, 64));
    }
    if (!weights_.taps.depthwise && weights_.taps.pooled_conv == nullptr)
      kernel_scratch_bytes_ = static_cast<std::size_t>(round_up(
          static_cast<std::int64_t>(kernels::gemm_scratch_bytes(kernel_, block_rows_, panel_k())),
          64));
  }

  std::int64_t items(std::int64_t batch) const noexcept override {
    const Cut cut = cut_of(batch);
    return cut.groups * cut.parts;
  }

  std::int64_t products() const noexcept override { return products_; }

  std::size_t scratch_bytes() const noexcept override {
    return kernel_scratch_bytes_ + copy_bytes_ + 2 * kMaxRows * sizeof(std::ptrdiff_t);
  }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte* scratch) const noexcept override {
    const Cut cut = cut_of(memory.batch);
    while (begin < end) {
      const std::int64_t group = begin / cut.parts, first = begin % cut.parts;
      const std::int64_t last = std::min(cut.parts, first + end - begin);
      const Part part{weights_.lists(memory.batch), cut, first, last};
      const std::int64_t from = memory.batch * group / cut.groups;
      const std::int64_t to = memory.batch * (group + 1) / cut.groups;
      Source x{memory.codes(input_) + from * input_size_, nullptr, memory.in_arena(input_)};
      if (part.taps.copied) x = copy(part.taps, x.codes, scratch + kernel_scratch_bytes_);
      run_images(memory, x, from, to - from, part, scratch);
      begin += last - first;
    }
  }

 private:
  // Parts [first, last) of the images' work.
  struct Part {
    const TapLists& taps;
    const Cut& cut;
    std::int64_t first, last;

    std::pair<std::int64_t, std::int64_t> of(std::int64_t count) const {
      return {count * first / cut.parts, count * last / cut.parts};
    }
  };

  // What rows are read from: codes, or a copy of the kernel's own form.
  struct Source {
    const std::uint8_t* codes;
    const std::int16_t* wide = nullptr;
    bool more_behind = false;  // some bytes, of no matter what value
  };

  // Behind the copy are as many zeros as may be read behind its last run.
  Source copy(const TapLists& taps, const std::uint8_t* image, std::byte* to) const noexcept {
    const std::int64_t size = taps.shape.h * taps.shape.w * taps.shape.c;
    if (kernel_.copied_bytes == 0) {
      auto* codes = reinterpret_cast<std::uint8_t*>(to);
      copy_with_border(taps.shape, taps.border, image, input_zero_point_, codes);
      std::fill_n(codes + size, zeros_behind_, std::uint8_t{0});
      return {codes, nullptr, true};
    }
    auto* wide = reinterpret_cast<std::int16_t*>(to);
    copy_with_border(taps.shape, taps.border, image, input_zero_point_, wide);
    std::fill_n(wide + size, zeros_behind_, std::int16_t{0});
    return {nullptr, wide};
  }

  Cut cut_of(std::int64_t batch) const { return batch == 1 ? *cut_of_one_ : compute_cut(batch); }

  Cut compute_cut(std::int64_t batch) const {
    const TapLists& taps = weights_.lists(batch);
    const bool one_panel = taps.pool == kernels::Pool::kFolded || taps.pooled_conv != nullptr;
    const std::int64_t panels = one_panel ? 1 : weights_.n_padded / kernel_.nr;
    return {taps.shape, panels, taps.copied, batch};
  }

  std::int64_t panel_k() const { return weights_.taps.packed.panel_k(); }

  // The weights of the next product, where they are as many as a panel of this one's.
  struct NextWeights {
    const std::byte* data = nullptr;
    std::int64_t panels = 0, panel_bytes = 0;

    // What a thread reads that begins with panel `first` of this product's `count`.
    const void* share(std::int64_t first, std::int64_t count) const {
      return data == nullptr ? nullptr : data + panels * first / count * panel_bytes;
    }
  };

  NextWeights weights_behind(const PackedModel& model, std::size_t index) const {
    for (std::size_t i = index + 1; i < model.weights.size(); ++i) {
      const PackedWeights& next = model.weights[i];
      if (next.weights.size_bytes() == 0) continue;
      const std::int64_t bytes = kernel_.nr * next.taps.packed.panel_k();
      if (static_cast<std::int64_t>(next.weights.size_bytes()) < kernel_.nr * panel_k()) break;
      return {next.weights.data(), next.n_padded / kernel_.nr, bytes};
    }
    return {};
  }

  // The add's operands may stand in either order: here the product is always the first.
  void set_residual(const ir::Graph& graph, ir::ValueId product, const ir::Node& add) {
    const auto& op = std::get<ir::QAdd>(add.op);
    const bool first = add.inputs[0] == product;
    residual_ = add.inputs[first ? 1 : 0];
    epilogue_.residual.params = op.params;
    if (!first) {
      std::swap(epilogue_.residual.params.multiplier_a, epilogue_.residual.params.multiplier_b);
    }
    epilogue_.residual.zero_point = graph.value(add.output).qparams.zero_point;
    epilogue_.residual.clamp_min = op.clamp_min;
    epilogue_.residual.clamp_max = op.clamp_max;
  }

  // x: the first image's source. The images' results begin at image `from` of the output.
  void run_images(const Memory& memory, const Source& x, std::int64_t from, std::int64_t images,
                  const Part& part, std::byte* scratch) const noexcept {
    if (part.taps.pooled_conv != nullptr) {
      run_pooled_conv(memory, x.codes, from, part);
      return;
    }
    if (!part.cut.by_panel) {
      run_columns(memory, x, from, images, part, {0, weights_.n, nullptr}, scratch);
      return;
    }
    // With several classes of pixels panel by panel, each read from memory once for all classes;
    // but not for a kernel that would copy the rows for each, nor for weights as few as depthwise
    // ones.
    const auto [first, last] = part.of(weights_.n_padded / kernel_.nr);
    const bool together =
        part.taps.classes.size() == 1 || part.taps.depthwise || kernel_scratch_bytes_ > 0;
    const std::int64_t panels = together ? last - first : 1;
    for (std::int64_t panel = first; panel < last; panel += panels) {
      const std::int64_t column = panel * kernel_.nr;
      const std::int64_t end = std::min(column + panels * kernel_.nr, weights_.n);
      // Behind the last columns comes this thread's share of the next product.
      const void* next = panel + panels < last
                             ? weights_.weights.data() + end * weights_.column_bytes
                             : next_.share(first, weights_.n_padded / kernel_.nr);
      run_columns(memory, x, from, images, part, {column, end - column, next}, scratch);
    }
  }

  // Rows of the pool's result, of one image that was copied.
  void run_pooled_conv(const Memory& memory, const std::uint8_t* copy, std::int64_t image,
                       const Part& part) const noexcept {
    const ConvShape& s = part.taps.shape;
    const auto [first, last] = part.of(s.out_h / 2);
    kernels::GemmArgs gemm = weights_.gemm_args(part.taps, part.taps.classes[0], 0, 0, weights_.n);
    set_codes(gemm.epilogue);
    constexpr std::int64_t kFetched = 24 * 1024;  // half of L1, or most of it
    const kernels::PooledConvArgs args = {
        .a = copy + 2 * first * s.w * s.c,
        .line = s.w * s.c,
        .channels = s.c,
        .rows = last - first,
        .pixels = s.out_w / 2,
        .n = weights_.n,
        .kernel_h = s.kernel_h,
        .kernel_w = s.kernel_w,
        .packed_w = gemm.packed_w,
        .epilogue = gemm.epilogue,
        .next_w = next_.data,
        .next_bytes = std::min<std::int64_t>(kFetched, next_.panels * next_.panel_bytes)};
    weights_.taps.pooled_conv->run(
        args, memory.codes_to_write(output_) + image * output_size_ + first * args.pixels * args.n);
  }

  // Columns of the result, and the weights that are read after theirs (GemmArgs::next_w).
  struct Columns {
    std::int64_t first, count;
    const void* next_w;
  };

  void run_columns(const Memory& memory, const Source& x, std::int64_t from, std::int64_t images,
                   const Part& part, const Columns& columns, std::byte* scratch) const noexcept {
    const TapLists& taps = part.taps;
    const std::int64_t channels = taps.shape.c / taps.shape.groups;
    const std::int64_t skipped = taps.depthwise ? columns.first : 0;  // channels of the image
    const std::int64_t tile_pixels = std::max<std::int64_t>(1, kernel_.mr / group_);
    auto* buffer = reinterpret_cast<std::ptrdiff_t*>(scratch + kernel_scratch_bytes_ + copy_bytes_);
    for (const TapLists::Class& c : taps.classes) {
      const std::int64_t pixels = images * c.pixel_count;
      auto [pixel, end] = part.cut.by_panel ? std::pair{std::int64_t{0}, pixels} : part.of(pixels);
      for (std::int64_t blocks = div_up(end - pixel, block_pixels_); pixel < end; --blocks) {
        const std::int64_t count =
            std::min(end - pixel, round_up(div_up(end - pixel, blocks), tile_pixels));
        const Rows block = rows_of(taps, c, pixel, count, buffer);
        pixel += count;
        for (std::int64_t g = 0; g < taps.shape.groups; ++g) {
          kernels::GemmArgs args = weights_.gemm_args(taps, c, g, columns.first, columns.count);
          args.m = count * group_;
          args.a = x.codes == nullptr ? nullptr : x.codes + block.a + g * channels + skipped;
          args.wide_a = x.wide;
          args.tails_readable = x.more_behind;
          args.a_rows = block.a_rows;
          args.c_rows = block.c_rows;
          args.scratch = scratch;
          args.next_w = columns.next_w;
          multiply(memory, args, from * output_size_ + block.c + g * weights_.n + columns.first);
        }
      }
    }
  }

  // Offsets of a class's rows for consecutive pixels, image by image.
  struct Rows {
    std::int64_t a, c;  // in front of all
    const std::ptrdiff_t *a_rows, *c_rows;
  };

  // `buffer` is used where they are in several images.
  Rows rows_of(const TapLists& taps, const TapLists::Class& c, std::int64_t first,
               std::int64_t count, std::ptrdiff_t* buffer) const noexcept {
    std::int64_t image = first / c.pixel_count, pixel = first % c.pixel_count;
    const std::ptrdiff_t* anchors = taps.anchors.data() + group_ * c.first_pixel;
    const std::ptrdiff_t* results = taps.results.data() + c.first_pixel;
    if (pixel + count <= c.pixel_count) {
      return {image * input_size_, image * output_size_, anchors + group_ * pixel, results + pixel};
    }
    std::ptrdiff_t *a_rows = buffer, *c_rows = buffer + kMaxRows;
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t r = 0; r < group_; ++r) {
        a_rows[group_ * i + r] = image * input_size_ + anchors[group_ * pixel + r];
      }
      c_rows[i] = image * output_size_ + results[pixel];
      if (++pixel == c.pixel_count) {
        pixel = 0;
        ++image;
      }
    }
    return {0, 0, a_rows, c_rows};
  }

  // One call of the kernel; `at` is the place of its first column in the output.
  void multiply(const Memory& memory, kernels::GemmArgs& args, std::int64_t at) const noexcept {
    kernels::Epilogue& e = args.epilogue;
    if (logits_) {
      auto* logits = reinterpret_cast<std::int32_t*>(memory.write(output_)) + at;
      kernel_.gemm_s32(args, logits);
      for (std::int64_t i = 0; i < args.m; ++i) {
        for (std::int64_t j = 0; j < args.n; ++j) {  // eq. (10)
          std::int32_t& logit = logits[args.c_rows[i] + j];
          logit = requantize_to_s32(logit, {e.multiplier[j], e.shift[j]});
        }
      }
      return;
    }
    set_codes(e);
    if (residual_ >= 0) {
      e.residual = epilogue_.residual;
      e.residual.codes = memory.codes(residual_) + at;
    }
    const kernels::GemmU8Function product =
        weights_.taps.depthwise ? kernel_.depthwise_u8 : kernel_.gemm_u8;
    product(args, memory.codes_to_write(output_) + at);
  }

  void set_codes(kernels::Epilogue& e) const noexcept {
    e.zero_point = epilogue_.zero_point;
    e.clamp_min = epilogue_.clamp_min;
    e.clamp_max = epilogue_.clamp_max;
  }

  const kernels::GemmKernel& kernel_;
  const PackedWeights& weights_;
  const std::int64_t group_;  // rows of the kernel that are one pixel of the result
  ir::ValueId input_ = -1, output_ = -1, residual_ = -1;
  std::int64_t input_size_ = 0, output_size_ = 0;  // of one image
  std::int64_t products_ = 0, zeros_behind_ = 0;
  std::uint8_t input_zero_point_ = 0;
  bool logits_ = false;
  NextWeights next_;
  kernels::Epilogue epilogue_;     // clamps, zero points and the residual's parameters
  std::optional<Cut> cut_of_one_;  // the divisions take longer than a small layer's products
  std::int64_t block_rows_ = 0, block_pixels_ = 0;
  std::size_t kernel_scratch_bytes_ = 0, copy_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Step> make_product_step(const PackedModel& model, std::size_t node_index,
                                        NodeIndex reader) {
  const ir::Node* node =
      reader < 0 ? nullptr : &model.graph.nodes[static_cast<std::size_t>(reader)];
  const bool pooled = node != nullptr && std::holds_alternative<ir::MaxPool2d>(node->op);
  const std::vector<PackedWeights>& weights = pooled ? model.pooled_weights : model.weights;
  return std::make_unique<ProductStep>(model, node_index, weights[node_index], node);
}

}  // namespace octet
