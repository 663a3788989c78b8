#include "kernels/f32/conv2d_winners.h"

#include "kernels/f32/bias_sums.h"
#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/pack.h"

namespace octet::kernels {
namespace {

// The floats of a kernel row, and with zeros up to whole vectors.
std::int64_t row_floats(const Conv2dShape& s) { return s.kernel_w * s.in; }
std::int64_t row_columns(const Conv2dShape& s) {
  return Panels{row_floats(s), kMaxPanelColumns}.width(0);
}
std::int64_t channel_floats(const Conv2dShape& s) { return s.kernel_h * row_columns(s); }

// From one line of the image that the data gradient is spread to, with its padding and room for the
// zeros behind the last pixel's kernel rows, to the next.
std::int64_t spread_line(const Conv2dShape& s) {
  return whole_lines(
      std::max(Lines(s).line_floats, (s.out_width() - 1) * s.stride * s.in + row_columns(s)));
}
std::int64_t spread_floats(const Conv2dShape& s) {
  return (s.height + 2 * s.padding) * spread_line(s) + kWinnerSlack;
}

std::int64_t row_winners(const Conv2dShape& s) { return s.out_width() / 2 * s.out; }

// Room for a row's list, or for the places.
std::int64_t winner_room(const Conv2dShape& s) {
  return whole_lines(row_winners(s) + kWinnerSlack);
}

// Row y of an image's map. No window reaches the last of an odd number of rows.
WinnerRow winner_row(const Conv2dShape& s, OutputGradient gradient, std::int64_t image,
                     std::int64_t y) {
  const std::int64_t height = s.out_height();
  if (y / 2 >= height / 2) return {};
  const std::int64_t first = (image * (height / 2) + y / 2) * row_winners(s);
  return {.windows = s.out_width() / 2,
          .channels = s.out,
          .cell = y % 2 == 0 ? 0 : 2,
          .dy = gradient.dy + first,
          .y = gradient.y == nullptr ? nullptr : gradient.y + first,
          .cells = gradient.cells + first};
}

// How the weight gradient is cut: groups of output rows, whose partial sums [out, kernel_h,
// row_columns] are added in order, and chunks of them, in which channel after channel takes its
// winners.
struct WinnersPlan {
  const Conv2dShape& s;
  RowGroups groups;
  Lines lines;
  std::int64_t chunk_rows;

  explicit WinnersPlan(const Conv2dShape& shape) : s(shape), groups(shape), lines(shape) {
    constexpr std::int64_t kFloats = 6144;  // of lines and lists: they stay in L1
    const std::int64_t height = s.out_height(), lists = row_winners(s) / 2 * 2;
    const std::int64_t row = s.stride * lines.line_floats + lists;
    const std::int64_t rows = std::max<std::int64_t>(1, kFloats / row);
    chunk_rows = std::min(groups.group_rows, rows < height ? rows : rows / height * height);
  }

  std::int64_t group_floats() const { return s.out * channel_floats(s); }
  std::int64_t line_floats() const {
    const std::int64_t images = chunk_rows / s.out_height() + 2;  // some only in part
    const std::int64_t count = chunk_rows * s.stride + images * s.kernel_h;
    return whole_lines(count * lines.line_floats + kWinnerSlack * 2);
  }
  // Of a channel in a chunk.
  std::int64_t list_room() const {
    return whole_lines(chunk_rows * (s.out_width() / 2) + kWinnerSlack);
  }
  std::int64_t offsets_floats() const { return whole_lines(s.out_width() / 2 + kWinnerSlack); }
  std::int64_t planes_floats() const {
    return kWinnerPlanes * whole_lines(s.out_width() / 2 + kWinnerSlack);
  }
  // Lines, the lists of all channels and their ends, planes.
  std::int64_t buffer_floats() const {
    return line_floats() + 2 * s.out * list_room() + whole_lines(s.out) + planes_floats();
  }
};

// What one thread works on: the lines of a chunk, and its winners by channel.
struct WinnersBuffer {
  float *lines, *gradients;
  std::int32_t *offsets, *ends;  // where in `lines`; where each channel's list ends
  float* planes;

  WinnersBuffer(const WinnersPlan& plan, float* first)
      : lines(first),
        gradients(lines + plan.line_floats()),
        offsets(reinterpret_cast<std::int32_t*>(gradients + plan.s.out * plan.list_room())),
        ends(offsets + plan.s.out * plan.list_room()),
        planes(reinterpret_cast<float*>(ends + whole_lines(plan.s.out))) {}
};

// Adds a map row's gradient to the chains of the bias' sums (bias_sums.h), as far as its pixels are
// in [begin, end).
//   pixel: of the batch, the row's first
void add_to_bias(const F32Kernels& kernels, const Conv2dShape& s, const WinnerRow& row,
                 std::int64_t pixel, std::int64_t begin, std::int64_t end, float* sums) {
  const std::int64_t chains = sum_chains(s), out = s.out;
  end = std::min(end, pixel + 2 * row.windows);
  for (std::int64_t p = std::max(begin, pixel); p < end;) {
    const std::int64_t chunk = p / kChunkRows, last = std::min(end, (chunk + 1) * kChunkRows);
    float* chunk_sums = sums + chunk * chains * out;
    // Whole windows, and the halves of one that a chunk's border cuts.
    const std::int64_t column = p - pixel, windows = column % 2 == 0 ? (last - p) / 2 : 0;
    WinnerRow part = row;
    part.windows = std::max<std::int64_t>(windows, 1);
    const std::int64_t skipped = column / 2 * out;
    part.dy += skipped;
    part.y = row.y == nullptr ? nullptr : row.y + skipped;
    part.cells += skipped;
    if (windows > 0) {
      kernels.winner_bias({part, p, chains, chunk_sums});
      p += 2 * windows;
      continue;
    }
    for (std::int64_t c = 0; c < out; ++c) {
      if (part.cells[c] != part.cell + column % 2) continue;
      if (part.y != nullptr && !(part.y[c] > 0.0f)) continue;
      chunk_sums[p % chains * out + c] += part.dy[c];
    }
    ++p;
  }
}

// dw = the partial sums, group after group.
void add_partials(const WinnersPlan& plan, const float* partials, float* dw) {
  const Conv2dShape& s = plan.s;
  const std::int64_t row = row_floats(s), columns = row_columns(s);
  parallel_for(s.out, [&](std::int64_t out) {
    for (std::int64_t kh = 0; kh < s.kernel_h; ++kh) {
      const float* from = partials + (out * s.kernel_h + kh) * columns;
      float* to = dw + (out * s.kernel_h + kh) * row;
      std::copy_n(from, row, to);
      for (std::int64_t group = 1; group < plan.groups.count; ++group) {
        from += plan.group_floats();
        for (std::int64_t i = 0; i < row; ++i) to[i] += from[i];
      }
    }
  });
}

}  // namespace

bool takes_winners(const Conv2dShape& s, OutputGradient gradient) {
  return gradient.cells != nullptr && Lines::fit(s) && s.out_width() <= kPlaceColumns &&
         s.out < (std::int64_t{1} << 31) / kPlaceColumns;
}

std::size_t winners_data_gradient_scratch_floats(const Conv2dShape& s) {
  return static_cast<std::size_t>(winner_room(s) + whole_lines(s.out * channel_floats(s))) +
         workers() * static_cast<std::size_t>(spread_floats(s) + 2 * winner_room(s));
}

void winners_data_gradient(const F32Kernels& kernels, const Conv2dShape& s, OutputGradient gradient,
                           const float* weight, float* dx, float* scratch) {
  const std::int64_t row = row_floats(s), columns = row_columns(s), room = winner_room(s);
  auto* places = reinterpret_cast<std::uint32_t*>(scratch);
  for (std::int64_t i = 0; i < row_winners(s); ++i) {
    places[i] = static_cast<std::uint32_t>(2 * (i / s.out) + i % s.out * kPlaceColumns);
  }
  std::fill_n(places + row_winners(s), kWinnerSlack, 0);
  float* packed = scratch + room;
  for (std::int64_t i = 0; i < s.out * s.kernel_h; ++i) {
    std::copy_n(weight + i * row, row, packed + i * columns);
    std::fill(packed + i * columns + row, packed + (i + 1) * columns, 0.0f);
  }
  const std::int64_t line = spread_line(s), image_floats = spread_floats(s);
  const std::int64_t height = s.out_height();
  float* buffers = packed + whole_lines(s.out * channel_floats(s));
  parallel_for_workers(s.batch, [&](std::int64_t image, int worker) {
    float* padded = buffers + worker * (image_floats + 2 * room);
    float* gradients = padded + image_floats;
    auto* at = reinterpret_cast<std::uint32_t*>(gradients + room);
    std::fill_n(padded, image_floats, 0.0f);
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t count =
          kernels.winner_places({winner_row(s, gradient, image, y), places}, gradients, at);
      kernels.winner_spread({.count = count,
                             .gradients = gradients,
                             .places = at,
                             .weight = packed,
                             .rows = s.kernel_h,
                             .columns = columns,
                             .dx = padded + y * s.stride * line,
                             .step = s.stride * s.in,
                             .line = line});
    }
    const std::int64_t width = s.width * s.in;
    for (std::int64_t y = 0; y < s.height; ++y) {
      std::copy_n(padded + (s.padding + y) * line + s.padding * s.in, width,
                  dx + (image * s.height + y) * width);
    }
  });
}

std::size_t winners_weight_gradient_scratch_floats(const Conv2dShape& s) {
  const WinnersPlan plan(s);
  return static_cast<std::size_t>(plan.offsets_floats() + plan.groups.count * plan.group_floats() +
                                  bias_sums_floats(s)) +
         workers() * static_cast<std::size_t>(plan.buffer_floats());
}

void winners_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                             OutputGradient gradient, float* dw, float* scratch, float* db) {
  const WinnersPlan plan(s);
  const std::int64_t height = s.out_height(), pixels = s.out_width(), room = plan.list_room();
  const std::int64_t line = plan.lines.line_floats, step = s.stride * s.in;
  auto* offsets = reinterpret_cast<std::int32_t*>(scratch);
  for (std::int64_t i = 0; i < plan.offsets_floats(); ++i) {
    offsets[i] = static_cast<std::int32_t>(2 * i * step);
  }
  float* partials = scratch + plan.offsets_floats();
  float* sums = partials + plan.groups.count * plan.group_floats();
  float* buffers = sums + bias_sums_floats(s);
  parallel_for_workers(plan.groups.count, [&](std::int64_t group, int worker) {
    const WinnersBuffer buffer(plan, buffers + worker * plan.buffer_floats());
    float* partial = partials + group * plan.group_floats();
    std::fill_n(partial, plan.group_floats(), 0.0f);
    const std::int64_t begin = group * plan.groups.group_rows;
    const std::int64_t end = std::min(plan.groups.rows, begin + plan.groups.group_rows);
    for (std::int64_t first = begin; first < end; first += plan.chunk_rows) {
      const std::int64_t last = std::min(end, first + plan.chunk_rows);
      for (std::int64_t channel = 0; channel < s.out; ++channel) {
        buffer.ends[channel] = static_cast<std::int32_t>(channel * room);
      }
      float* lines = buffer.lines;
      for (std::int64_t row = first; row < last;) {
        const std::int64_t y = row % height, rows = std::min(last - row, height - y);
        for (std::int64_t i = 0; i < rows;) {
          const std::int64_t together = (y + i) % 2 == 0 && i + 1 < rows ? 2 : 1;
          const std::int64_t base = lines - buffer.lines + i * s.stride * line;
          kernels.winner_lists({.row = winner_row(s, gradient, row / height, y + i),
                                .rows = together,
                                .offsets = offsets,
                                .first = static_cast<std::int32_t>(base),
                                .step = static_cast<std::int32_t>(step),
                                .line = static_cast<std::int32_t>(s.stride * line),
                                .planes = buffer.planes,
                                .gradients = buffer.gradients,
                                .list_offsets = buffer.offsets,
                                .ends = buffer.ends});
          i += together;
        }
        lines = plan.lines.copy(x + row / height * s.height * s.width * s.in, y, rows, lines);
        row += rows;
      }
      kernels.winner_sums({.channels = s.out,
                           .room = room,
                           .ends = buffer.ends,
                           .gradients = buffer.gradients,
                           .offsets = buffer.offsets,
                           .x = buffer.lines,
                           .line = line,
                           .rows = s.kernel_h,
                           .columns = row_columns(s),
                           .sums = partial});
    }
    if (db == nullptr) return;
    // The chunks of `sums` that start here; the last one may go on beyond.
    const std::int64_t sum_begin = chunk_count(begin * pixels) * kChunkRows;
    const std::int64_t sum_end =
        std::min(plan.groups.rows * pixels, chunk_count(end * pixels) * kChunkRows);
    const std::int64_t sum_row = sum_chains(s) * s.out;
    std::fill(sums + sum_begin / kChunkRows * sum_row, sums + chunk_count(sum_end) * sum_row, 0.0f);
    std::int64_t image = begin / height, y = begin % height;
    for (std::int64_t pixel = begin * pixels; pixel < sum_end; pixel += pixels) {
      add_to_bias(kernels, s, winner_row(s, gradient, image, y), pixel, sum_begin, sum_end, sums);
      if (++y < height) continue;
      y = 0;
      ++image;
    }
  });
  if (db != nullptr) finish_bias_sums(s, sums, db);
  add_partials(plan, partials, dw);
}

}  // namespace octet::kernels
