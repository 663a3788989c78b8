#include "runtime/tap_lists.h"

namespace octet {
namespace {

using kernels::PackedK;
using kernels::TapAxis;
using kernels::TapRange;
using kernels::TapRun;

// The different lists along an axis, and which one each output position has.
struct AxisClasses {
  std::vector<TapRange> ranges;  // source is that of the first position that has it
  std::vector<std::size_t> of;

  explicit AxisClasses(const TapAxis& axis) {
    for (std::int64_t at = 0; at < axis.out_extent; ++at) {
      const TapRange range = axis.forward(at);
      std::size_t found = 0;
      while (found < ranges.size() &&
             (ranges[found].tap != range.tap || ranges[found].count != range.count)) {
        ++found;
      }
      if (found == ranges.size()) ranges.push_back(range);
      of.push_back(found);
    }
  }
};

// As many groups as have 16 output channels together. That is the narrowest tile that every vector
// kernel fills: on Zen 3, 32 groups of 4 channels take 0.42 of the time so, groups of 8 three
// quarters (docs/decisions.md).
std::int64_t groups_to_join(const kernels::GemmKernel& kernel, const ConvShape& shape,
                            std::int64_t out_channels) {
  const std::int64_t columns = std::min(kernel.nr, 16), outputs = out_channels / shape.groups;
  std::int64_t joined = std::clamp<std::int64_t>(columns / outputs, 1, shape.groups);
  while (shape.groups % joined != 0) --joined;
  return joined;
}

}  // namespace

TapLists::TapLists(const kernels::GemmKernel& kernel, const ConvShape& asked,
                   std::int64_t out_channels, bool pooled, bool bordered)
    : shape(asked) {
  constexpr std::int64_t kFewChannels = 8;
  depthwise = shape.groups > 1 && shape.groups == shape.c && out_channels == shape.c;
  if (!depthwise) joined = groups_to_join(kernel, shape, out_channels);
  shape.groups /= joined;
  const std::int64_t channels = shape.c / shape.groups;
  const bool unaligned = shape.padding > 0 && channels % kernel.kr != 0;
  const bool few = kernel.copied_bytes > 0 && channels <= kFewChannels && shape.kernel_w > 1;
  // A pool's windows have no classes, and its runs no rest (list_windows).
  const bool windows = pooled && (shape.padding > 0 || shape.kernel_w * channels % kernel.kr != 0);
  if (pooled && shape.groups == 1 && shape.stride == 1 && kernel.isa != Isa::kScalar) {
    pooled_conv = kernels::find_pooled_conv(kernel.isa, shape.c, out_channels);
  }
  copied = shape.groups == 1 && (unaligned || few || windows || bordered || pooled_conv != nullptr);
  if (copied) {
    border = shape.padding;
    shape.h += 2 * border;
    shape.w += 2 * border;
    shape.padding = 0;
  }
  if (pooled_conv != nullptr) {
    packed = PackedK(kernel, shape.kernel_h * shape.kernel_w * shape.c, shape.kernel_w * shape.c);
    Class all{{0, 0, shape.kernel_h}, {0, 0, shape.kernel_w}};
    all.pixel_count = (shape.out_h / 2) * (shape.out_w / 2);
    classes.push_back(all);
    return;
  }
  if (pooled) {
    const bool folded = shape.stride == 1 && out_channels <= 8;
    pool = folded ? kernels::Pool::kFolded : kernels::Pool::kRows4;
    if (folded) ++shape.kernel_w;
  }
  // In one group the taps of a kernel row are one stretch of memory; a group's are not.
  const std::int64_t taps = shape.kernel_h * shape.kernel_w;
  packed =
      PackedK(kernel, taps * channels, shape.groups == 1 ? shape.kernel_w * channels : channels);

  if (pooled) {
    list_windows(out_channels);
    return;
  }
  const TapAxis vertical{shape.h, shape.out_h, shape.kernel_h, shape.stride, shape.padding};
  const TapAxis horizontal{shape.w, shape.out_w, shape.kernel_w, shape.stride, shape.padding};
  const AxisClasses by_row(vertical), by_column(horizontal);
  const std::int64_t line = shape.w * shape.c;
  for (std::size_t v = 0; v < by_row.ranges.size(); ++v) {
    for (std::size_t u = 0; u < by_column.ranges.size(); ++u) {
      Class c{by_row.ranges[v], by_column.ranges[u]};
      c.bias = static_cast<std::int64_t>(classes.size());
      c.first_run = static_cast<std::int64_t>(runs.size());
      if (depthwise) list_depthwise(c, kernel.kr);
      for (std::int64_t row = 0; !depthwise && row < c.rows.count; ++row) {
        const std::int64_t tap = (c.rows.tap + row) * shape.kernel_w + c.columns.tap;
        if (shape.groups == 1) {
          if (c.columns.count == 0) break;
          runs.push_back({row * line,
                          (c.rows.tap + row) * packed.padded_piece + c.columns.tap * channels,
                          c.columns.count * channels});
          continue;
        }
        for (std::int64_t i = 0; i < c.columns.count; ++i) {
          runs.push_back({row * line + i * shape.c, (tap + i) * packed.padded_piece, channels});
        }
      }
      c.run_count = static_cast<std::int64_t>(runs.size()) - c.first_run;
      c.first_pixel = static_cast<std::int64_t>(results.size());
      for (std::int64_t y = 0; y < shape.out_h; ++y) {
        if (by_row.of[static_cast<std::size_t>(y)] != v) continue;
        for (std::int64_t x = 0; x < shape.out_w; ++x) {
          if (by_column.of[static_cast<std::size_t>(x)] != u) continue;
          const std::int64_t top = vertical.forward(y).source, left = horizontal.forward(x).source;
          anchors.push_back(c.run_count == 0 ? 0 : top * line + left * shape.c);
          results.push_back((y * shape.out_w + x) * out_channels);
        }
      }
      c.pixel_count = static_cast<std::int64_t>(results.size()) - c.first_pixel;
      classes.push_back(c);
    }
  }
  if (depthwise) shape.groups = 1;
}

void TapLists::list_depthwise(const Class& c, std::int64_t kr) {
  const std::int64_t line = shape.w * shape.c, taps = shape.kernel_h * shape.kernel_w;
  for (std::int64_t first = 0; first < taps; first += kr) {
    std::vector<TapRun> group;
    bool any = false;
    for (std::int64_t tap = first; tap < first + kr; ++tap) {
      const std::int64_t row = tap / shape.kernel_w - c.rows.tap;
      const std::int64_t column = tap % shape.kernel_w - c.columns.tap;
      const bool listed = row >= 0 && row < c.rows.count && column >= 0 && column < c.columns.count;
      any = any || listed;
      // The anchor is an activation, so it may stand for what comes behind the last tap.
      group.push_back(
          {listed ? row * line + column * shape.c : 0, first / kr, listed || tap >= taps});
    }
    if (any) runs.insert(runs.end(), group.begin(), group.end());
  }
}

void TapLists::list_windows(std::int64_t out_channels) {
  const std::int64_t line = shape.w * shape.c;
  Class all{{0, 0, shape.kernel_h}, {0, 0, shape.kernel_w}};
  all.run_count = shape.kernel_h;
  for (std::int64_t row = 0; row < shape.kernel_h; ++row) {
    // In a copy a run may go on behind its last activation, where its weights are zeros.
    runs.push_back(
        {row * line, row * packed.padded_piece, copied ? packed.padded_piece : packed.piece});
  }
  for (std::int64_t y = 0; y < shape.out_h / 2; ++y) {
    for (std::int64_t x = 0; x < shape.out_w / 2; ++x) {
      for (std::int64_t row = 2 * y; row < 2 * y + 2; ++row) {
        const std::int64_t left = row * shape.stride * line + 2 * x * shape.stride * shape.c;
        anchors.push_back(left);
        if (pool == kernels::Pool::kRows4) anchors.push_back(left + shape.stride * shape.c);
      }
      results.push_back(static_cast<std::int64_t>(results.size()) * out_channels);
    }
  }
  all.pixel_count = static_cast<std::int64_t>(results.size());
  classes.push_back(all);
}

}  // namespace octet
