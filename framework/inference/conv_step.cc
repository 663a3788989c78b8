#include <algorithm>
#include <optional>

#include "inference/conv_rows.h"
#include "inference/float_model.h"
#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/pack.h"

namespace octet {
namespace {

using kernels::Conv2dShape;
using kernels::GemmF32Args;

Conv2dShape conv_shape(const FloatConv2d& form, const Shape& x) {
  const bool map = x.rank() == 3;
  return {.height = map ? x[0] : 1,
          .width = map ? x[1] : 1,
          .in = form.in,
          .out = form.out,
          .kernel_h = form.kernel,
          .kernel_w = form.kernel,
          .stride = form.stride,
          .padding = form.padding,
          .groups = form.groups};
}

// What all convolutions have in common: operands, and the end of a chain.
class ConvStep : public Step {
 public:
  ConvStep(const FloatModel& model, const FloatNode& node)
      : kernels_(*model.kernels),
        s_(conv_shape(std::get<FloatConv2d>(node.form), model.shape(node.inputs[0]))),
        panels_{s_.out_per_group(), kernels_.panel_columns},
        node_(node),
        act_(std::get<FloatConv2d>(node.form).act) {
    if (std::get<FloatConv2d>(node.form).shortcut) shortcut_ = node.inputs[1];
  }

  std::int64_t products() const noexcept override { return y_floats() * s_.taps(); }

 protected:
  // Where the images [image, ...) of a run are.
  struct Images {
    const float* x;
    const float* shortcut;  // null without one
    float* y;
  };
  Images images_at(const Memory& memory, std::int64_t image) const {
    const std::int64_t to = image * y_floats();
    return {read_floats(memory, node_.inputs[0]) + image * x_floats(),
            shortcut_ < 0 ? nullptr : read_floats(memory, shortcut_) + to,
            write_floats(memory, node_.output) + to};
  }

  std::int64_t x_floats() const { return s_.height * s_.width * s_.in; }
  std::int64_t y_floats() const { return s_.out_height() * s_.out_width() * s_.out; }
  // Panels of weights, of all groups.
  std::int64_t all_panels() const { return s_.groups * panels_.count(); }

  // The arguments that depend on the panel alone; c and add are at its first column.
  GemmF32Args panel_args(std::int64_t panel, const Images& at) const {
    const std::int64_t g = panel / panels_.count(), p = panel % panels_.count();
    const std::int64_t column = g * s_.out_per_group() + panels_.first(p);
    GemmF32Args args;
    args.n = panels_.used(p);
    args.a = at.x + g * s_.in_per_group();
    args.a_col = 1;
    args.b = node_.weight.as<float>() + g * kernels::packed_room(s_.out_per_group(), s_.taps()) +
             panels_.first(p) * s_.taps();
    args.b_row = panels_.width(p);
    args.init = node_.bias.as<float>() + column;
    args.c = at.y + column;
    args.add = at.shortcut == nullptr ? nullptr : at.shortcut + column;
    args.relu = act_ == Act::kRelu;
    args.relu6 = act_ == Act::kRelu6;
    return args;
  }

  const kernels::F32Kernels& kernels_;
  const Conv2dShape s_;  // of one image
  const kernels::Panels panels_;

 private:
  const FloatNode& node_;
  const Act act_;
  ir::ValueId shortcut_ = -1;
};

// Maps of few channels, from lines with their padding (kernels::Lines): items are bands of an
// image.
class LinesStep final : public ConvStep {
 public:
  LinesStep(const FloatModel& model, const FloatNode& node) : ConvStep(model, node), lines_(s_) {}

  std::int64_t items(std::int64_t batch) const noexcept override { return batch * lines_.bands; }

  std::size_t scratch_bytes() const noexcept override {
    return sizeof(float) * static_cast<std::size_t>(lines_.buffer_floats());
  }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte* scratch) const noexcept override {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t first = item % lines_.bands * lines_.band_rows;
      const std::int64_t rows = std::min(lines_.band_rows, s_.out_height() - first);
      const std::int64_t to = first * s_.out_width() * s_.out;
      Images at = images_at(memory, item / lines_.bands);
      at.x = lines_.read(at.x, first, rows, reinterpret_cast<float*>(scratch));
      at.y += to;
      if (at.shortcut != nullptr) at.shortcut += to;
      for (std::int64_t panel = 0; panel < all_panels(); ++panel) {
        GemmF32Args args = panel_args(panel, at);
        args.m = s_.out_width();
        args.k = s_.kernel_w * s_.in;
        args.a_row = s_.stride * s_.in;
        args.c_row = s_.out;
        args.runs = s_.kernel_h;
        args.a_run = lines_.line_floats;
        args.b_run = args.k * args.b_row;
        args.row_groups = rows;
        args.a_group = s_.stride * lines_.line_floats;
        kernels_.gemm(args);
      }
    }
  }

 private:
  const kernels::Lines lines_;
};

// All others, by lists of rows: items are bands of groups of images, or panels of weights of them.
class RowsStep final : public ConvStep {
 public:
  RowsStep(const FloatModel& model, const FloatNode& node)
      : ConvStep(model, node), rows_(rows_of(s_, kernels_)) {
    if (s_.kernel_h * s_.kernel_w == 1) return;
    ConvRows by_tap = ConvRows::by_tap(s_);
    if (10 * rows_.cost(1) > 11 * by_tap.cost(1)) one_image_ = std::move(by_tap);
  }

  std::int64_t items(std::int64_t batch) const noexcept override {
    const Cut cut(*this, batch);
    return cut.units() * cut.parts;
  }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte*) const noexcept override {
    const Cut cut(*this, memory.batch);
    const std::int64_t panels = all_panels();
    while (begin < end) {
      const std::int64_t unit = begin / cut.parts, first = begin % cut.parts;
      const std::int64_t last = std::min(cut.parts, first + end - begin);
      const std::int64_t group = unit / cut.bands, band = unit % cut.bands;
      const std::int64_t from = memory.batch * group / cut.groups;
      const std::int64_t images = memory.batch * (group + 1) / cut.groups - from;
      run_band(cut.rows, band, images, images_at(memory, from), panels * first / cut.parts,
               panels * last / cut.parts);
      begin += last - first;
    }
  }

 private:
  // How the work of one run is cut.
  struct Cut {
    const ConvRows& rows;
    std::int64_t groups;  // of images
    std::int64_t bands;   // of each
    std::int64_t parts;   // of each band: its panels where pixels are few, or 1

    Cut(const RowsStep& step, std::int64_t batch)
        : rows(batch == 1 && step.one_image_ ? *step.one_image_ : step.rows_),
          groups(div_up(batch, rows.images)),
          bands(static_cast<std::int64_t>(rows.bands.size())) {
      constexpr std::int64_t kShareRows = 192;
      const std::int64_t pixels = batch * step.s_.out_height() * step.s_.out_width();
      parts = pixels < kShareRows ? step.all_panels() : 1;
    }
    std::int64_t units() const { return groups * bands; }
  };

  static ConvRows rows_of(const Conv2dShape& s, const kernels::F32Kernels& kernels) {
    constexpr std::int64_t kBlockFloats = 48 * 1024, kLeastRows = 48, kMostRows = 192;
    constexpr std::int64_t kPieceFloats = 112 * 1024;  // of a panel, which stays in L2
    const std::int64_t pixels = s.out_height() * s.out_width();
    const std::int64_t rows =
        std::clamp(kBlockFloats / (s.in * s.stride * s.stride), kLeastRows, kMostRows);
    const std::int64_t images = std::max<std::int64_t>(1, rows / pixels);
    const std::int64_t band =
        pixels <= rows ? s.out_height() : std::max<std::int64_t>(1, rows / s.out_width());
    const std::int64_t kernel_row = s.kernel_w * s.in_per_group() * kernels.panel_columns;
    return ConvRows(s, images, band, std::max<std::int64_t>(1, kPieceFloats / kernel_row));
  }

  void run_band(const ConvRows& rows, std::int64_t band, std::int64_t images, const Images& at,
                std::int64_t first_panel, std::int64_t last_panel) const noexcept {
    const std::int64_t k = s_.in_per_group(), line = s_.width * s_.in;
    for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
      const GemmF32Args common = panel_args(panel, at);
      const std::int64_t tap_floats = k * common.b_row;
      for (const ConvRows::Piece& piece : rows.bands[static_cast<std::size_t>(band)].pieces) {
        GemmF32Args args = common;
        args.m = piece.pixels * images;
        args.a += piece.a;
        args.b += piece.tap * tap_floats;
        args.a_rows = rows.a_rows.data() + piece.first;
        args.c_rows = rows.c_rows.data() + piece.first;
        if (s_.groups == 1) {  // the pixels of a line are one stretch of memory
          args.k = piece.kernel_columns * k;
          args.runs = piece.kernel_rows;
          args.a_run = line;
          args.b_run = s_.kernel_w * tap_floats;
        } else {
          args.k = k;
          args.runs = piece.kernel_columns;
          args.a_run = s_.in;
          args.b_run = tap_floats;
          args.run_groups = piece.kernel_rows;
          args.a_run_group = line;
          args.b_run_group = s_.kernel_w * tap_floats;
        }
        if (!piece.begins) {
          args.init = args.c;
          args.init_row = 1;
        }
        if (!piece.ends) {
          args.add = nullptr;
          args.relu = args.relu6 = false;
        }
        kernels_.gemm(args);
      }
    }
  }

  const ConvRows rows_;
  std::optional<ConvRows> one_image_;  // where one image alone is better done by tap
};

}  // namespace

std::unique_ptr<Step> make_conv_step(const FloatModel& model, const FloatNode& node) {
  const Conv2dShape s = conv_shape(std::get<FloatConv2d>(node.form), model.shape(node.inputs[0]));
  if (kernels::Lines::fit(s)) return std::make_unique<LinesStep>(model, node);
  return std::make_unique<RowsStep>(model, node);
}

}  // namespace octet
