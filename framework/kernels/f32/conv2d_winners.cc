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

// Lists of winners: of one row of the map, and where they are read from memory.
struct Winners {
  const F32Kernels& kernels;
  const Conv2dShape& s;
  OutputGradient gradient;
  const std::uint32_t* places;  // of a row's windows and channels

  static std::int64_t row_count(const Conv2dShape& s) { return s.out_width() / 2 * s.out; }
  // Room for a row's list, or for the places.
  static std::int64_t room(const Conv2dShape& s) {
    return whole_lines(row_count(s) + kWinnerSlack);
  }

  static void write_places(const Conv2dShape& s, std::uint32_t* to) {
    for (std::int64_t window = 0; window < s.out_width() / 2; ++window) {
      for (std::int64_t channel = 0; channel < s.out; ++channel) {
        *to++ = static_cast<std::uint32_t>(2 * window + channel * kPlaceColumns);
      }
    }
    std::fill_n(to, kWinnerSlack, 0);
  }

  // Those of row `row` of the batch's maps.
  std::int64_t read(std::int64_t row, bool by_columns, float* gradients, std::uint32_t* at) const {
    const std::int64_t height = s.out_height(), image = row / height, y = row % height;
    if (y / 2 >= height / 2) return 0;  // no window reaches the last of an odd number of rows
    const std::int64_t first = (image * (height / 2) + y / 2) * row_count(s);
    return kernels.winner_row({.windows = s.out_width() / 2,
                               .channels = s.out,
                               .cell = y % 2 == 0 ? 0 : 2,
                               .by_columns = by_columns,
                               .places = places,
                               .dy = gradient.dy + first,
                               .y = gradient.y == nullptr ? nullptr : gradient.y + first,
                               .cells = gradient.cells + first},
                              gradients, at);
  }
};

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
    const std::int64_t height = s.out_height(), row_winners = Winners::row_count(s) / 2;
    const std::int64_t row = s.stride * lines.line_floats + 2 * row_winners;
    const std::int64_t rows = std::max<std::int64_t>(1, kFloats / row);
    chunk_rows = std::min(groups.group_rows, rows < height ? rows : rows / height * height);
  }

  std::int64_t group_floats() const { return s.out * channel_floats(s); }
  std::int64_t line_floats() const {
    const std::int64_t images = chunk_rows / s.out_height() + 2;  // some only in part
    const std::int64_t count = chunk_rows * s.stride + images * s.kernel_h;
    return whole_lines(count * lines.line_floats + kWinnerSlack * 2);
  }
  // Of a channel in a chunk, at most.
  std::int64_t list_room() const { return whole_lines(chunk_rows * (s.out_width() / 2)); }
  // Lines, the list of a row, the lists of all channels and their lengths.
  std::int64_t buffer_floats() const {
    return line_floats() + 2 * Winners::room(s) + 2 * s.out * list_room() + whole_lines(s.out);
  }
};

// What one thread works on: the lines of a chunk, the winners of a row, and those of the chunk by
// channel, at most plan.list_room() of each.
struct WinnersBuffer {
  float *lines, *row_gradients, *gradients;
  std::uint32_t* row_places;
  std::int32_t *offsets, *ends;  // where in `lines`; where each channel's list ends

  WinnersBuffer(const WinnersPlan& plan, float* first)
      : lines(first),
        row_gradients(lines + plan.line_floats()),
        gradients(row_gradients + Winners::room(plan.s)),
        row_places(reinterpret_cast<std::uint32_t*>(gradients + plan.s.out * plan.list_room())),
        offsets(reinterpret_cast<std::int32_t*>(row_places + Winners::room(plan.s))),
        ends(offsets + plan.s.out * plan.list_room()) {}

  // Deals a row's winners out to the channels.
  //   base: where the row's first pixel begins in `lines`      step: from one to the next
  void deal(std::int64_t count, std::int64_t base, std::int64_t step) const {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint32_t place = row_places[i];
      const std::int32_t to = ends[place / kPlaceColumns]++;
      gradients[to] = row_gradients[i];
      offsets[to] = static_cast<std::int32_t>(base + place % kPlaceColumns * step);
    }
  }
};

// Adds a row's winners to the chains of the bias' sums (bias_sums.h), as far as their pixels are in
// [begin, end).
//   pixel: the row's first one
void add_to_bias(const Conv2dShape& s, const WinnersBuffer& buffer, std::int64_t count,
                 std::int64_t pixel, std::int64_t begin, std::int64_t end, float* sums) {
  const std::int64_t chains = sum_chains(s), out = s.out, last = pixel + s.out_width() - 1;
  const auto add = [&](std::int64_t i, std::int64_t p, float* chunk) {
    const std::int64_t chain = p & (chains - 1);  // of 1 or 4
    chunk[chain * out + buffer.row_places[i] / kPlaceColumns] += buffer.row_gradients[i];
  };
  const auto chunk_of = [&](std::int64_t p) { return sums + p / kChunkRows * chains * out; };
  if (pixel >= begin && last < end && pixel / kChunkRows == last / kChunkRows) {
    float* chunk = chunk_of(pixel);
    for (std::int64_t i = 0; i < count; ++i) {
      add(i, pixel + buffer.row_places[i] % kPlaceColumns, chunk);
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t p = pixel + buffer.row_places[i] % kPlaceColumns;
    if (p >= begin && p < end) add(i, p, chunk_of(p));
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
  return static_cast<std::size_t>(Winners::room(s) + whole_lines(s.out * channel_floats(s))) +
         workers() * static_cast<std::size_t>(spread_floats(s) + 2 * Winners::room(s));
}

void winners_data_gradient(const F32Kernels& kernels, const Conv2dShape& s, OutputGradient gradient,
                           const float* weight, float* dx, float* scratch) {
  const std::int64_t row = row_floats(s), columns = row_columns(s), room = Winners::room(s);
  auto* places = reinterpret_cast<std::uint32_t*>(scratch);
  Winners::write_places(s, places);
  float* packed = scratch + room;
  for (std::int64_t i = 0; i < s.out * s.kernel_h; ++i) {
    std::copy_n(weight + i * row, row, packed + i * columns);
    std::fill(packed + i * columns + row, packed + (i + 1) * columns, 0.0f);
  }
  const Winners winners{kernels, s, gradient, places};
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
          winners.read(image * height + y, /*by_columns=*/true, gradients, at);
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
  return static_cast<std::size_t>(Winners::room(s) + plan.groups.count * plan.group_floats() +
                                  bias_sums_floats(s)) +
         workers() * static_cast<std::size_t>(plan.buffer_floats());
}

void winners_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                             OutputGradient gradient, float* dw, float* scratch, float* db) {
  const WinnersPlan plan(s);
  auto* places = reinterpret_cast<std::uint32_t*>(scratch);
  Winners::write_places(s, places);
  float* partials = scratch + Winners::room(s);
  float* sums = partials + plan.groups.count * plan.group_floats();
  float* buffers = sums + bias_sums_floats(s);
  const Winners winners{kernels, s, gradient, places};
  const std::int64_t height = s.out_height(), pixels = s.out_width(), room = plan.list_room();
  const std::int64_t line = plan.lines.line_floats;
  parallel_for_workers(plan.groups.count, [&](std::int64_t group, int worker) {
    const WinnersBuffer buffer(plan, buffers + worker * plan.buffer_floats());
    float* partial = partials + group * plan.group_floats();
    std::fill_n(partial, plan.group_floats(), 0.0f);
    const std::int64_t begin = group * plan.groups.group_rows;
    const std::int64_t end = std::min(plan.groups.rows, begin + plan.groups.group_rows);
    // The chunks of `sums` that start here; the last one may go on beyond.
    const std::int64_t sum_begin = chunk_count(begin * pixels) * kChunkRows;
    const std::int64_t sum_end =
        std::min(plan.groups.rows * pixels, chunk_count(end * pixels) * kChunkRows);
    const std::int64_t sum_row = sum_chains(s) * s.out;
    if (db != nullptr) {
      std::fill(sums + sum_begin / kChunkRows * sum_row, sums + chunk_count(sum_end) * sum_row,
                0.0f);
    }
    const auto read = [&](std::int64_t row) {
      const std::int64_t count =
          winners.read(row, /*by_columns=*/false, buffer.row_gradients, buffer.row_places);
      if (db != nullptr) add_to_bias(s, buffer, count, row * pixels, sum_begin, sum_end, sums);
      return count;
    };
    for (std::int64_t first = begin; first < end; first += plan.chunk_rows) {
      const std::int64_t last = std::min(end, first + plan.chunk_rows);
      for (std::int64_t channel = 0; channel < s.out; ++channel) {
        buffer.ends[channel] = static_cast<std::int32_t>(channel * room);
      }
      float* lines = buffer.lines;
      for (std::int64_t row = first; row < last;) {
        const std::int64_t y = row % height, rows = std::min(last - row, height - y);
        for (std::int64_t i = 0; i < rows; ++i) {
          const std::int64_t count = read(row + i);
          const std::int64_t base = lines - buffer.lines + i * s.stride * line;
          buffer.deal(count, base, s.stride * s.in);
        }
        lines = plan.lines.copy(x + row / height * s.height * s.width * s.in, y, rows, lines);
        row += rows;
      }
      for (std::int64_t channel = 0; channel < s.out; ++channel) {
        kernels.winner_sums({.count = buffer.ends[channel] - channel * room,
                             .gradients = buffer.gradients + channel * room,
                             .offsets = buffer.offsets + channel * room,
                             .x = buffer.lines,
                             .line = line,
                             .rows = s.kernel_h,
                             .columns = row_columns(s),
                             .sums = partial + channel * channel_floats(s)});
      }
    }
    if (db == nullptr) return;
    for (std::int64_t row = end; row < div_up(sum_end, pixels); ++row) read(row);
  });
  if (db != nullptr) finish_bias_sums(s, sums, db);
  add_partials(plan, partials, dw);
}

}  // namespace octet::kernels
