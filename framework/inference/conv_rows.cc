#include "inference/conv_rows.h"

#include <algorithm>

namespace octet {
namespace {

using kernels::Conv2dShape;
using kernels::TapRange;

std::ptrdiff_t anchor(const Conv2dShape& s, std::int64_t y, std::int64_t x) {
  return (y * s.width + x) * s.in;
}

bool same_taps(const TapRange& a, const TapRange& b) {
  return a.tap == b.tap && a.count == b.count;
}

// Pixels with the same taps.
struct Class {
  TapRange rows, columns;
  std::vector<std::ptrdiff_t> a, c;
};

std::vector<Class> classes_of(const Conv2dShape& s, std::int64_t first, std::int64_t last) {
  const kernels::TapAxis vertical = vertical_axis(s), horizontal = horizontal_axis(s);
  std::vector<Class> classes;
  for (std::int64_t y = first; y < last; ++y) {
    const TapRange rows = vertical.forward(y);
    for (std::int64_t x = 0; x < s.out_width(); ++x) {
      const TapRange columns = horizontal.forward(x);
      auto found = std::find_if(classes.begin(), classes.end(), [&](const Class& c) {
        return same_taps(c.rows, rows) && same_taps(c.columns, columns);
      });
      if (found == classes.end()) found = classes.insert(classes.end(), {rows, columns, {}, {}});
      const bool empty = rows.count * columns.count == 0;
      found->a.push_back(empty ? 0 : anchor(s, rows.source, columns.source));
      found->c.push_back((y * s.out_width() + x) * s.out);
    }
  }
  return classes;
}

}  // namespace

ConvRows::ConvRows(const Conv2dShape& s, std::int64_t images_, std::int64_t band_rows,
                   std::int64_t kernel_rows)
    : images(images_) {
  for (std::int64_t top = 0; top < s.out_height(); top += band_rows) {
    Band band;
    for (const Class& c : classes_of(s, top, std::min(s.out_height(), top + band_rows))) {
      Piece piece;
      piece.first = a_rows.size();
      piece.pixels = static_cast<std::int64_t>(c.a.size());
      a_rows.insert(a_rows.end(), c.a.begin(), c.a.end());
      c_rows.insert(c_rows.end(), c.c.begin(), c.c.end());
      repeat_for_images(piece.first, s);
      const std::int64_t count = c.columns.count == 0 ? 0 : c.rows.count;
      if (count == 0) band.pieces.push_back(piece);
      for (std::int64_t row = 0; row < count; row += kernel_rows) {
        piece.tap = (c.rows.tap + row) * s.kernel_w + c.columns.tap;
        piece.a = row * s.width * s.in;
        piece.kernel_rows = std::min(kernel_rows, count - row);
        piece.kernel_columns = c.columns.count;
        piece.begins = row == 0;
        piece.ends = row + piece.kernel_rows == count;
        band.pieces.push_back(piece);
      }
    }
    // The pieces with the first kernel rows run first: those weights are then still in the cache.
    std::stable_sort(band.pieces.begin(), band.pieces.end(), [&](const Piece& a, const Piece& b) {
      return a.tap / s.kernel_w / kernel_rows < b.tap / s.kernel_w / kernel_rows;
    });
    bands.push_back(std::move(band));
  }
}

ConvRows ConvRows::by_tap(const Conv2dShape& s) {
  ConvRows rows;
  Band band;
  Piece all;  // starts every pixel's chain at its bias, and later ends it
  all.pixels = s.out_height() * s.out_width();
  all.ends = false;
  for (std::int64_t pixel = 0; pixel < all.pixels; ++pixel) {
    rows.a_rows.push_back(0);
    rows.c_rows.push_back(pixel * s.out);
  }
  band.pieces.push_back(all);
  const kernels::TapAxis vertical = vertical_axis(s), horizontal = horizontal_axis(s);
  for (std::int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
    const std::int64_t i = tap / s.kernel_w, j = tap % s.kernel_w;
    const kernels::TapAxis::Outputs ys = vertical.outputs(i), xs = horizontal.outputs(j);
    Piece piece;
    piece.tap = tap;
    piece.kernel_rows = piece.kernel_columns = 1;
    piece.begins = piece.ends = false;
    piece.first = rows.a_rows.size();
    for (std::int64_t y = ys.first; y < ys.last; ++y) {
      for (std::int64_t x = xs.first; x < xs.last; ++x) {
        rows.a_rows.push_back(
            anchor(s, y * s.stride - s.padding + i, x * s.stride - s.padding + j));
        rows.c_rows.push_back((y * s.out_width() + x) * s.out);
        ++piece.pixels;
      }
    }
    if (piece.pixels > 0) band.pieces.push_back(piece);
  }
  all.begins = false;
  all.ends = true;
  band.pieces.push_back(all);
  rows.bands.push_back(std::move(band));
  return rows;
}

void ConvRows::repeat_for_images(std::size_t first, const Conv2dShape& s) {
  const std::size_t pixels = a_rows.size() - first;
  const std::ptrdiff_t a_image = s.height * s.width * s.in;
  const std::ptrdiff_t c_image = s.out_height() * s.out_width() * s.out;
  for (std::int64_t image = 1; image < images; ++image) {
    for (std::size_t i = first; i < first + pixels; ++i) {
      a_rows.push_back(a_rows[i] + image * a_image);
      c_rows.push_back(c_rows[i] + image * c_image);
    }
  }
}

std::int64_t ConvRows::cost(std::int64_t images_now) const {
  constexpr std::int64_t kTileRows = 6, kLeastRows = 4;
  std::int64_t links = 0;
  for (const Band& band : bands) {
    for (const Piece& piece : band.pieces) {
      const std::int64_t rows = piece.pixels * images_now;
      const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
      links += piece.kernel_rows * piece.kernel_columns * std::max(rows, kLeastRows * tiles);
    }
  }
  return links;
}

}  // namespace octet
