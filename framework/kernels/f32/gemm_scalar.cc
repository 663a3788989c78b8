#include <cmath>

#include "kernels/f32/batch_norm_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/halve_rows.h"
#include "kernels/f32/vector_scalar.h"
#include "kernels/f32/winner_rows.h"

// The reference: one lane. std::fma rounds once, on any machine.
namespace octet::kernels {
namespace {

struct Vector1 : OneLane {
  using Narrow = Vector1;
  static Reg fma(Reg a, Reg b, Reg c) { return std::fma(a, b, c); }
  static Reg where_positive(Reg y, Reg r) { return y > 0.0f ? r : 0.0f; }

  using Wins = bool;
  using Cells = std::int32_t;
  static Wins larger(Reg v, Reg best) { return v > best || v != v; }
  static Reg select(Wins w, Reg a, Reg b) { return w ? a : b; }
  static Cells select(Wins w, Cells a, Cells b) { return w ? a : b; }
  static Cells cells(int k) { return k; }
  static Wins equal(Cells c, int k) { return c == k; }
  static Cells load_cells(const std::uint8_t* p, std::int64_t) { return *p; }
  static void store_cells(std::uint8_t* p, Cells c, std::int64_t) {
    *p = static_cast<std::uint8_t>(c);
  }
  static Cells half(Cells c) { return c / 2; }
  static Wins both(Wins a, Wins b) { return a && b; }
  static Wins nonzero(Reg r) { return r != 0.0f; }
  static Cells sum(Cells a, Cells b) { return a + b; }
  static Cells if_odd(Cells c, int k) { return c % 2 != 0 ? k : 0; }
  static Cells load_ints(const std::int32_t* p) { return *p; }
  static void store_ints(std::int32_t* p, Cells c) { *p = c; }
  static std::int64_t append(Wins w, Reg g, Cells place, float* gradients, std::int32_t* to) {
    if (!w) return 0;
    *gradients = g;
    *to = place;
    return 1;
  }
  static Reg evens(Reg a, Reg) { return a; }
  static Reg odds(Reg, Reg b) { return b; }
  static void transpose(Reg (&)[1]) {}
  static void transpose(Cells (&)[1]) {}
};

}  // namespace

void f32_gemm_scalar(const GemmF32Args& args) { gemm<Vector1>(args); }

void f32_relu_backward_scalar(std::int64_t rows, std::int64_t columns, std::ptrdiff_t stride,
                              const float* y, const float* dy, float* masked) {
  relu_backward<Vector1>(rows, columns, stride, y, dy, masked);
}

void f32_batch_norm_statistics_scalar(std::int64_t count, std::int64_t lanes, const float* x,
                                      float* partial) {
  batch_norm_statistics<Vector1>(count, lanes, x, partial);
}

void f32_batch_norm_forward_scalar(const BatchNormForwardArgs& args) {
  batch_norm_forward<Vector1>(args);
}

void f32_batch_norm_backward_scalar(const BatchNormBackwardArgs& args) {
  batch_norm_backward<Vector1>(args);
}

void f32_halve_scalar(std::int64_t rows, std::int64_t width, std::int64_t channels, const float* x,
                      float* y, std::uint8_t* cells) {
  halve<Vector1>(rows, width, channels, x, y, cells);
}

void f32_halve_planes_scalar(std::int64_t rows, std::int64_t width, std::int64_t channels,
                             const float* x, float* y, std::uint8_t* cells) {
  halve_planes<Vector1>(rows, width, channels, x, y, cells);
}

void f32_halve_backward_scalar(std::int64_t width, std::int64_t channels, int cell, const float* dy,
                               const float* y, const std::uint8_t* cells, float* dx) {
  halve_backward<Vector1>(width, channels, cell, dy, y, cells, dx);
}

std::int64_t f32_winner_places_scalar(const WinnerPlacesArgs& args, float* gradients,
                                      std::uint32_t* places) {
  return winner_places<Vector1>(args, gradients, places);
}

void f32_winner_lists_scalar(const WinnerListsArgs& args) { winner_lists<Vector1>(args); }

void f32_winner_bias_scalar(const WinnerBiasArgs& args) { winner_bias<Vector1>(args); }

void f32_winner_sums_scalar(const WinnerSumsArgs& args) { winner_sums<Vector1>(args); }

void f32_winner_spread_scalar(const WinnerSpreadArgs& args) { winner_spread<Vector1>(args); }

}  // namespace octet::kernels
