#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace octet {

// A range of items cut into one share per thread, and each share into pieces. A thread takes its
// own share piece by piece, then what is left of the others': the same thread meets the same part
// of a tensor again and again, and still nobody waits long for a thread that the system, or another
// program, has slowed down.
//
// It may be dealt anew, by one thread, once every piece that was taken has been computed. Somebody
// may call `take` meanwhile, late: a piece is had from a counter alone, and what it means is read
// only when it is had and nothing can change any more.
class SharedItems {
 public:
  static constexpr int kPieces = 16;  // of a share

  // For so many threads; without items until `deal`.
  explicit SharedItems(int threads) : shares_(static_cast<std::size_t>(threads)) {}

  SharedItems(std::int64_t count, int threads) : SharedItems(threads) {
    deal(count, threads, kPieces);
  }

  // The items [0, count) for the first `threads` threads, in about `pieces` pieces for each.
  // Returns how many pieces there are.
  int deal(std::int64_t count, int threads, int pieces) noexcept {
    const std::int64_t all = std::int64_t{threads} * pieces;
    count_ = count;
    threads_ = threads;
    piece_ = std::max<std::int64_t>(1, (count + all - 1) / all);
    int dealt = 0;
    for (std::size_t t = 0; t < shares_.size(); ++t) {
      const bool used = t < static_cast<std::size_t>(threads);
      const std::int64_t items = used ? begin_of(t + 1) - begin_of(t) : 0;
      const int left = static_cast<int>((items + piece_ - 1) / piece_);
      if (used) shares_[t].left.store(left, std::memory_order_release);
      dealt += left;
    }
    return dealt;
  }

  // Calls body(begin, end) for what this thread gets. Returns the number of pieces.
  template <class Body>
  int take(int thread, const Body& body) {
    const std::size_t all = shares_.size();
    int taken = 0;
    for (std::size_t k = 0; k < all; ++k) {
      const std::size_t share = (static_cast<std::size_t>(thread) + k) % all;
      std::atomic<int>& left = shares_[share].left;
      while (left.load(std::memory_order_relaxed) > 0) {
        const int last = left.fetch_sub(1, std::memory_order_acquire);  // the pieces from the end
        if (last <= 0) break;
        const std::int64_t begin = begin_of(share), end = begin_of(share + 1);
        const std::int64_t pieces = (end - begin + piece_ - 1) / piece_;
        const std::int64_t first = begin + (pieces - last) * piece_;
        body(first, std::min(first + piece_, end));
        ++taken;
      }
    }
    return taken;
  }

 private:
  std::int64_t begin_of(std::size_t share) const noexcept {
    return count_ * static_cast<std::int64_t>(share) / threads_;
  }

  struct alignas(64) Share {
    std::atomic<int> left{0};
  };
  std::int64_t count_ = 0;
  int threads_ = 1;
  std::int64_t piece_ = 1;
  std::vector<Share> shares_;
};

}  // namespace octet
