#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace octet::testing {

enum class Guard { kBefore, kAfter };

// `count` elements that touch a page without access rights, before their first byte or after their
// last one: a kernel that reads or writes one byte beyond them ends the test with a fault. The
// other side is followed by readable bytes up to the page's end, then by the other guard page.
template <class T>
class GuardedBuffer {
 public:
  GuardedBuffer(std::size_t count, Guard guard) : count_(count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = count * sizeof(T), pages = (bytes + page - 1) / page * page;
    mapped_bytes_ = pages + 2 * page;
    void* mapped = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("mmap failed");
    mapped_ = static_cast<std::byte*>(mapped);
    if (mprotect(mapped_ + page, pages, PROT_READ | PROT_WRITE) != 0) {
      munmap(mapped_, mapped_bytes_);
      throw std::runtime_error("mprotect failed");
    }
    std::byte* first = mapped_ + page + (guard == Guard::kAfter ? pages - bytes : 0);
    data_ = reinterpret_cast<T*>(first);
  }
  GuardedBuffer(GuardedBuffer&& other) noexcept
      : mapped_(std::exchange(other.mapped_, nullptr)),
        mapped_bytes_(other.mapped_bytes_),
        count_(other.count_),
        data_(other.data_) {}
  GuardedBuffer& operator=(GuardedBuffer&&) = delete;
  ~GuardedBuffer() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }

 private:
  std::byte* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::size_t count_ = 0;
  T* data_ = nullptr;
};

// Rows of `k` bytes, each of which ends at the end of a page that is followed by a page without
// access rights: shows reads beyond any row, not only beyond the last one.
class GuardedRows {
 public:
  GuardedRows(std::size_t rows, std::size_t k)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    row_pages_ = (k + page_ - 1) / page_ * page_;
    mapped_bytes_ = rows * stride();
    void* mapped =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("mmap failed");
    mapped_ = static_cast<std::uint8_t*>(mapped);
    for (std::size_t r = 0; r < rows; ++r) {
      if (mprotect(mapped_ + r * stride() + row_pages_, page_, PROT_NONE) != 0) {
        munmap(mapped_, mapped_bytes_);
        throw std::runtime_error("mprotect failed");
      }
    }
    data_ = mapped_ + row_pages_ - k;
  }
  GuardedRows(const GuardedRows&) = delete;
  GuardedRows& operator=(const GuardedRows&) = delete;
  ~GuardedRows() { munmap(mapped_, mapped_bytes_); }

  std::size_t stride() const { return row_pages_ + page_; }
  std::uint8_t* row(std::size_t r) { return data_ + r * stride(); }

 private:
  std::size_t page_, row_pages_ = 0, mapped_bytes_ = 0;
  std::uint8_t* mapped_ = nullptr;
  std::uint8_t* data_ = nullptr;
};

// While it lives, an access to a guard page prints `line` (what was running) before the test fails.
class FaultReport {
 public:
  explicit FaultReport(const std::string& line) {
    text_ = line + "\n";
    struct sigaction action = {};
    action.sa_handler = [](int) {  // then the instruction is tried again, under the old handler
      [[maybe_unused]] const auto written = write(STDERR_FILENO, text_.data(), text_.size());
      sigaction(SIGSEGV, &before_, nullptr);
    };
    sigaction(SIGSEGV, &action, &before_);
  }
  FaultReport(const FaultReport&) = delete;
  FaultReport& operator=(const FaultReport&) = delete;
  ~FaultReport() { sigaction(SIGSEGV, &before_, nullptr); }

 private:
  inline static std::string text_;
  inline static struct sigaction before_;
};

}  // namespace octet::testing
